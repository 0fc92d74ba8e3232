import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import type { Clock } from '../src/base/clock.ts';
import type { ShellState, ShellStateFile } from './shell-state.ts';

/** Paper and ink of the page, so that the empty window does not flash. */
const PAPER = '#faf9f6';
const INK = '#101314';
const RELOAD_PAUSE_MS = 10_000;

interface LookFacts {
  readonly preload: string;
  readonly icon: string;
  readonly dark: boolean;
  readonly platform: string;
  readonly place: ShellState['bounds'];
}

/** The options of the one window: the page is as powerless as in a browser. */
export function windowOptions({ preload, icon, dark, platform, place }: LookFacts): BrowserWindowConstructorOptions {
  return {
    width: 1200,
    height: 800,
    ...place,
    minWidth: 420,
    minHeight: 480,
    title: 'Spherecast',
    icon,
    show: false,
    autoHideMenuBar: true,
    backgroundColor: dark ? INK : PAPER,
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      navigateOnDragDrop: false,
      // Only macOS checks spelling by itself: elsewhere Chromium would fetch word lists from its maker.
      spellcheck: platform === 'darwin',
    },
  };
}

interface MainWindowDeps {
  readonly create: () => BrowserWindow;
  readonly stateFile: ShellStateFile;
  readonly clock: Clock;
  /** The person closed the window. */
  readonly onClosed: () => void;
}

/** The window, when there is one. */
export class MainWindow {
  readonly #deps: MainWindowDeps;
  #window: BrowserWindow | undefined;
  #reloadedAt = -Infinity;

  constructor(deps: MainWindowDeps) {
    this.#deps = deps;
  }

  get current(): BrowserWindow | undefined {
    return this.#window;
  }

  /** Brings the window to the front, or makes one that shows the address. */
  show(url: string): void {
    const open = this.#window;
    if (open === undefined) {
      this.#create(url);
      return;
    }
    if (open.isMinimized()) open.restore();
    open.show();
    open.focus();
  }

  /** The engine has moved to another address. */
  moveTo(url: string): void {
    if (this.#window !== undefined) void load(this.#window, url);
  }

  #create(url: string): void {
    const { create, stateFile, onClosed } = this.#deps;
    const window = create();
    this.#window = window;
    if (stateFile.state.maximized) window.maximize();
    window.once('ready-to-show', () => window.show());
    window.on('close', () => stateFile.update({ bounds: window.getNormalBounds(), maximized: window.isMaximized() }));
    window.on('closed', () => {
      this.#window = undefined;
      onClosed();
    });
    window.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason !== 'clean-exit') this.#reload(window);
    });
    void load(window, url);
  }

  /** A page that crashed has nothing to lose: everything is in the engine. One that crashes at once stays down. */
  #reload(window: BrowserWindow): void {
    const now = this.#deps.clock.monotonic();
    if (window.isDestroyed() || now - this.#reloadedAt < RELOAD_PAUSE_MS) return;
    this.#reloadedAt = now;
    window.webContents.reload();
  }
}

async function load(window: BrowserWindow, url: string): Promise<void> {
  try {
    await window.loadURL(url);
  } catch (error) {
    // A closed window or an engine that just ended: both are followed by an event of their own.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    // Only the code: the message holds the address with its token.
    if (!window.isDestroyed()) process.stderr.write(`the page did not load: ${code}\n`);
  }
}
