import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ensureElectron } from '../bootstrap/electron.mjs';
import { root } from '../bootstrap/root.mjs';
import { childEnvironment } from '../bootstrap/runtime.mjs';
import { say } from '../bootstrap/say.mjs';
import { exitCode, run } from '../bootstrap/spawn.mjs';
import { ENGINE_OPTIONS, SPHERECAST, buildAll } from '../build.mjs';

/** Options of the program that stand before its command, with the number of values that follow each. */
const GLOBAL_OPTIONS = new Map([
  ['--profile', 1],
  ['--timeout', 1],
  ['--verbose', 0],
]);

/**
 * Splits the person's arguments into those before `serve`, those after it, and whether a browser may be opened.
 * @param {readonly string[]} args
 */
export function splitArguments(args) {
  /** @type {{ before: string[], after: string[], open: boolean }} */
  const split = { before: [], after: [], open: true };
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    const values = GLOBAL_OPTIONS.get(arg.split('=')[0] ?? '');
    if (arg === '--no-open') split.open = false;
    else if (values === undefined) split.after.push(arg);
    else {
      const taken = arg.includes('=') ? 0 : values;
      split.before.push(...args.slice(index, index + 1 + taken));
      index += taken;
    }
  }
  return split;
}

/**
 * `npm start`: the window when Electron is there and can show one, else the same application in the browser.
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function start(runtime, args) {
  await buildAll(runtime);
  const { open } = splitArguments(args);
  if (!open) return serve(runtime, args);
  const electron = await ensureElectron(runtime);
  if ('program' in electron) return openWindow(electron.program, runtime, args);
  say(`No Electron window, because ${electron.reason}: Spherecast runs in the browser instead.`);
  return serve(runtime, args);
}

/**
 * @param {string} program
 * @param {string} runtime
 * @param {readonly string[]} args
 */
async function openWindow(program, runtime, args) {
  // Chromium refuses to start its sandbox for root.
  const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const result = await run(program, [...sandbox, root, ...args], { env: childEnvironment(runtime) });
  return result.code;
}

/**
 * @param {string} runtime
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
async function serve(runtime, args) {
  const { before, after, open } = splitArguments(args);
  const json = after.includes('--json');
  const main = [...ENGINE_OPTIONS, SPHERECAST, '--json', ...before];
  // Nobody is asked where no page opens, nor by `serve` when a profile is named.
  const options = [open ? '--ask' : '--no-open', ...after.filter((arg) => arg !== '--json')];
  const cwd = process.env['INIT_CWD'] ?? root;
  const env = childEnvironment(runtime);
  const child = spawn(runtime, [...main, 'serve', ...options], { cwd, env, stdio: ['inherit', 'pipe', 'inherit'] });
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  let isRunning = false;
  const lines = createInterface({ input: child.stdout }).on('line', (line) => {
    // A second start is no failure for a person: the application is there.
    isRunning = open && !json && readLine(line).code === 'profile-in-use';
    if (!isRunning) announce(line, open, json);
  });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(exitCode(code, signal)));
  });
  const [code] = await Promise.all([ended, once(lines, 'close')]);
  if (!isRunning) return code;
  const status = await run(runtime, [...main, 'status'], { cwd, env, streams: 'quiet' });
  const { url, failure } = readLine(status.output.trimEnd().split('\n').at(-1) ?? '');
  if (url === undefined) say(`Spherecast could not start: it runs already, and does not answer: ${failure}`);
  else console.log(`Spherecast runs already, at ${url}`);
  return url === undefined ? 1 : 0;
}

/**
 * @param {string} line
 * @param {boolean} open
 * @param {boolean} json
 */
function announce(line, open, json) {
  const { url, failure, already = false } = readLine(line);
  if (!json && failure !== undefined) say(`Spherecast could not start: ${failure}`);
  else if (json || url === undefined) console.log(line);
  else if (already) console.log(`Spherecast runs already, at ${url}`);
  else console.log(open ? `Spherecast runs at ${url} (Ctrl-C ends it)` : url);
}

/**
 * What a line of the program says: where the engine is, or why it did not start.
 * @param {string} line
 * @returns {{ url?: string, failure?: string, code?: string, already?: boolean }}
 */
export function readLine(line) {
  try {
    const value = JSON.parse(line);
    if (typeof value?.url === 'string') return { url: value.url, ...(value.already === true && { already: true }) };
    const { message, code } = value?.error ?? {};
    return typeof message === 'string' ? { failure: message, code } : {};
  } catch {
    // Anything else is passed on as it is.
    return {};
  }
}
