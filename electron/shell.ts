import path from 'node:path';
import type * as Electron from 'electron';
import type { Clock } from '../src/base/clock.ts';
import type { ErrorCode } from '../src/base/errors.ts';
import type { EngineProcess, EngineState } from './engine-process.ts';
import { addressOf } from './engine-process.ts';
import type { IpcHandlers } from './ipc.ts';
import { serveIpc } from './ipc.ts';
import { menuTemplate } from './menu.ts';
import { guardNavigation, isOwnPage, restrictSession } from './navigation-guard.ts';
import { Quit } from './quit.ts';
import type { ShellStateFile } from './shell-state.ts';
import { visibleBounds } from './shell-state.ts';
import { createTray } from './tray.ts';
import { MainWindow, windowOptions } from './window.ts';
import type { Words } from './words.ts';

/** The parts of Electron that the shell works with. */
export type ElectronParts = Pick<
  typeof Electron,
  | 'app'
  | 'BrowserWindow'
  | 'dialog'
  | 'ipcMain'
  | 'Menu'
  | 'nativeTheme'
  | 'Notification'
  | 'screen'
  | 'session'
  | 'shell'
  | 'Tray'
>;

interface ShellDeps {
  readonly electron: ElectronParts;
  readonly engine: EngineProcess<Electron.MessagePortMain>;
  readonly stateFile: ShellStateFile;
  readonly words: Words;
  readonly clock: Clock;
  readonly platform: string;
  /** Starts the application for another person of this computer, or shows their window; false when nobody has that id. */
  readonly openProfile: (id: string) => boolean;
  /** Where the bundled programs and pictures lie. */
  readonly folder: string;
}

/** The desktop application around an engine: one window, an icon in the system bar, notifications, the way out. */
export class DesktopShell {
  readonly #deps: ShellDeps;
  readonly #window: MainWindow;
  readonly #quit: Quit;
  /** Held for its life: an icon that is collected disappears. */
  #tray: Electron.Tray | undefined;
  readonly #shown = new Set<Electron.Notification>();
  #wasRunning = false;
  #origin: string | undefined;

  constructor(deps: ShellDeps) {
    this.#deps = deps;
    const { electron, engine, stateFile } = deps;
    this.#window = new MainWindow({
      create: () => this.#createWindow(),
      stateFile,
      clock: deps.clock,
      onClosed: () => this.#tellAboutClosing(),
    });
    this.#quit = new Quit({
      onlyCopies: () => engine.onlyCopies(),
      confirm: (names) => this.#confirmQuit(names),
      stopEngine: () => engine.stop(),
      leave: () => {
        this.#tray?.destroy();
        electron.app.quit();
      },
    });
  }

  /** Call it when Electron is ready. */
  start(): void {
    const { electron, engine, words, platform, folder } = this.#deps;
    const origin = (): string | undefined => addressOf(engine.state)?.origin;
    const openOutside = (url: string): void => {
      // Without a browser on this computer nothing opens.
      electron.shell.openExternal(url).catch(() => undefined);
    };
    electron.app.on('web-contents-created', (_event, contents) => guardNavigation(contents, origin, openOutside));
    restrictSession(electron.session.defaultSession, origin);
    serveIpc({
      ipcMain: electron.ipcMain,
      isOwnPage: (url) => isOwnPage(url, origin()),
      handlers: this.#ipcHandlers(),
    });
    electron.Menu.setApplicationMenu(electron.Menu.buildFromTemplate(menuTemplate(platform, words)));
    this.#tray = createTray({
      Tray: electron.Tray,
      Menu: electron.Menu,
      icon: path.join(folder, 'tray.png'),
      words,
      onOpen: () => this.open(),
      onQuit: () => electron.app.quit(),
    });
    engine.onState.on((state) => this.#engineChanged(state));
    engine.start();
  }

  /** Shows the window; before the engine is ready it comes by itself when it is. `asksWho`: a new one asks who is there. */
  open(asksWho = false): void {
    const address = addressOf(this.#deps.engine.state);
    if (address === undefined || this.#quit.hasLeft) return;
    this.#window.show(asksWho ? `${address.url}&who` : address.url);
  }

  /** Electron is about to quit: prevented until the person agrees and the engine has ended. */
  beforeQuit(event: { preventDefault(): void }): void {
    if (this.#quit.hasLeft) return;
    event.preventDefault();
    void this.#quit.request();
  }

  /** The system ends the session, or a signal arrived. */
  endNow(): void {
    void this.#quit.now();
  }

  #engineChanged(state: EngineState): void {
    if (state.kind === 'failed') void this.#tellFailure(state.code);
    if (state.kind !== 'running') return;
    const { origin, url } = state.address;
    // Under the same address the page finds the engine by itself and keeps what it shows.
    if (!this.#wasRunning) this.#window.show(url);
    else if (origin !== this.#origin) this.#window.moveTo(url);
    this.#wasRunning = true;
    this.#origin = origin;
  }

  #createWindow(): Electron.BrowserWindow {
    const { electron, stateFile, platform, folder } = this.#deps;
    const screens = electron.screen.getAllDisplays().map((display) => display.workArea);
    return new electron.BrowserWindow(
      windowOptions({
        preload: path.join(folder, 'preload.cjs'),
        icon: path.join(folder, 'icon.png'),
        dark: electron.nativeTheme.shouldUseDarkColors,
        platform,
        place: visibleBounds(stateFile.state.bounds, screens),
      }),
    );
  }

  #ipcHandlers(): IpcHandlers {
    const { electron } = this.#deps;
    return {
      notify: (title, body) => {
        this.#notify(title, body);
        return null;
      },
      openProfile: (id) => {
        const isThere = this.#deps.openProfile(id);
        // What is shared goes on; this person opens their window again from here or from the icon.
        if (isThere) this.#window.current?.close();
        return isThere;
      },
      pickFiles: async ({ folders }) => {
        const options: Electron.OpenDialogOptions = {
          properties: [folders ? 'openDirectory' : 'openFile', 'multiSelections'],
        };
        const window = this.#window.current;
        const answer = await (window === undefined
          ? electron.dialog.showOpenDialog(options)
          : electron.dialog.showOpenDialog(window, options));
        return answer.canceled ? [] : answer.filePaths;
      },
    };
  }

  #notify(title: string, body: string): void {
    const { Notification } = this.#deps.electron;
    if (!Notification.isSupported()) return;
    const notification = new Notification({ title, body });
    this.#shown.add(notification);
    notification.on('click', () => this.open());
    notification.on('close', () => this.#shown.delete(notification));
    notification.show();
  }

  #tellAboutClosing(): void {
    const { stateFile, words } = this.#deps;
    if (this.#quit.hasLeft || stateFile.state.toldAboutClosing) return;
    stateFile.update({ toldAboutClosing: true });
    this.#notify(words.keepsSharing.title, words.keepsSharing.body);
  }

  async #confirmQuit(names: readonly string[]): Promise<boolean> {
    const { electron, words } = this.#deps;
    const { title, detail, stay, leave } = words.onlyCopy;
    const options: Electron.MessageBoxOptions = {
      type: 'warning',
      title: 'Spherecast',
      message: title(names.length),
      detail: detail(names),
      buttons: [stay, leave],
      defaultId: 0,
      cancelId: 0,
      noLink: true,
    };
    const window = this.#window.current;
    const { response } = await (window === undefined
      ? electron.dialog.showMessageBox(options)
      : electron.dialog.showMessageBox(window, options));
    return response === 1;
  }

  async #tellFailure(code: ErrorCode): Promise<void> {
    const { electron, words } = this.#deps;
    await electron.dialog.showMessageBox({
      type: 'error',
      title: 'Spherecast',
      message: words.failed.title,
      detail: words.failed.reason(code),
    });
    await this.#quit.now();
  }
}
