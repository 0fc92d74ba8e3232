import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openBrowser } from './bootstrap/browser.mjs';
import { root } from './bootstrap/root.mjs';
import { say } from './bootstrap/say.mjs';

const STOP_MS = 8000;
const WINDOW = { width: 900, height: 760 };

/** One of the people whose application is shown. */
interface WindowOwner {
  readonly name: string;
  readonly profile: string;
  readonly engine: { stop(): Promise<unknown>; pageUrl(): Promise<string> };
}

/** What windows can be opened with on this machine. */
export interface WindowMeans {
  readonly electron: { readonly program: string } | { readonly reason: string };
  readonly hasDisplay: boolean;
  readonly chromium: string | undefined;
}

interface Surroundings {
  readonly folder: string;
  /** For the addresses, which a person may open by hand. */
  readonly print: (line: string) => void;
  readonly things: AsyncDisposableStack;
}

/** A window for each person, next to one another, by the best means that there are; with none, their addresses. */
export async function openSideBySide(
  people: readonly WindowOwner[],
  means: WindowMeans | 'none',
  { folder, print, things }: Surroundings,
): Promise<void> {
  if (means === 'none') {
    for (const { engine } of people) print(await engine.pageUrl());
    return;
  }
  if ('program' in means.electron) {
    for (const [index, person] of people.entries()) await openElectron(means.electron.program, person, index, things);
    return;
  }
  say(`No Electron window, because ${means.electron.reason}: Spherecast runs in the browser instead.`);
  for (const [index, { engine, name }] of people.entries()) {
    const url = await engine.pageUrl();
    print(url);
    if (!means.hasDisplay) continue;
    if (means.chromium === undefined) openBrowser(url);
    else openChromium(means.chromium, url, { data: path.join(folder, `browser-${name}`), index, things });
  }
}

/** The desktop application takes over the person's profile. */
async function openElectron(
  program: string,
  person: WindowOwner,
  index: number,
  things: AsyncDisposableStack,
): Promise<void> {
  await person.engine.stop();
  const state = path.join(person.profile, 'desktop');
  await mkdir(state, { recursive: true });
  const bounds = { x: 20 + index * (WINDOW.width + 20), y: 40, ...WINDOW };
  await writeFile(path.join(state, 'window.json'), JSON.stringify({ bounds }));
  const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  endWith(things, [program, ...sandbox, root, '--profile', person.profile], person.profile);
}

interface BrowserPlace {
  readonly data: string;
  readonly index: number;
  readonly things: AsyncDisposableStack;
}

function openChromium(program: string, url: string, { data, index, things }: BrowserPlace): void {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const options = [
    ...sandbox,
    `--app=${url}`,
    `--user-data-dir=${data}`,
    `--window-position=${20 + index * (WINDOW.width + 20)},40`,
    `--window-size=${WINDOW.width},${WINDOW.height}`,
    '--no-first-run',
    '--no-default-browser-check',
  ];
  endWith(things, [program, ...options], data);
}

/** Starts a program that is asked to end with the demo; what it leaves in the temporary folder goes with `folder`. */
function endWith(things: AsyncDisposableStack, [program = '', ...args]: readonly string[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, TMPDIR: folder } });
  const gone = once(child, 'exit').catch((error: unknown) => say(`${path.basename(program)}: ${String(error)}`));
  things.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  });
}
