import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './bootstrap/lock.mjs';
import { inRoot, root } from './bootstrap/root.mjs';
import { binOf, childEnvironment } from './bootstrap/runtime.mjs';
import { Told, say, seconds } from './bootstrap/say.mjs';
import { run } from './bootstrap/spawn.mjs';

/**
 * `sources` are files and folders whose content decides whether a build is needed; `output` is what the build makes.
 * @typedef {{ sources: string[], output: string, command: () => string[] }} Target
 */

const ENGINE_FOLDERS = readdirSync(inRoot('src')).filter((name) => name !== 'ui');

/** The command line, and with `serve` the engine: built by the target `programs`. */
export const SPHERECAST = inRoot('dist', 'programs', 'spherecast.js');

/** Node.js options of the engine, as the desktop shell gives them (`ENGINE_OPTIONS` of the sources). */
export const ENGINE_OPTIONS = ['--max-semi-space-size=4'];

/** @type {Record<string, Target>} */
export const TARGETS = {
  ui: {
    sources: ['src/ui', 'src/contract', 'src/base', 'vite.config.ts', 'package-lock.json'],
    output: 'dist/ui',
    command: () => [binOf('vite', 'vite'), 'build', '--logLevel', 'warn'],
  },
  programs: {
    sources: [
      'electron',
      ...ENGINE_FOLDERS.map((name) => `src/${name}`),
      'resources/icons',
      'tools/build-programs.ts',
      'package-lock.json',
    ],
    output: 'dist/programs',
    command: () => [inRoot('tools', 'build-programs.ts')],
  },
};

/**
 * Hex SHA-256 over names and contents of files and folders; tests beside the sources do not count.
 * @param {string} folder
 * @param {readonly string[]} sources paths inside the folder, sorted by the caller's order
 */
export function sourceHash(folder, sources) {
  const hash = createHash('sha256');
  for (const source of sources) {
    for (const file of filesBelow(path.join(folder, source))) {
      const content = readFileSync(file);
      hash.update(`${path.relative(folder, file).split(path.sep).join('/')}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

/**
 * @param {string} start
 * @returns {string[]} sorted
 */
function filesBelow(start) {
  if (!existsSync(start)) return [];
  if (!statSync(start).isDirectory()) return [start];
  return readdirSync(start, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .filter((entry) => !entry.name.endsWith('.test.ts'))
    .flatMap((entry) => filesBelow(path.join(start, entry.name)));
}

/**
 * Everything that people start.
 * @param {string} runtime
 */
export async function buildAll(runtime) {
  for (const name of Object.keys(TARGETS)) await build(name, runtime);
}

/**
 * Builds a target unless it was built from these very sources.
 * @param {string} name
 * @param {string} runtime
 */
export async function build(name, runtime) {
  const target = TARGETS[name];
  if (target === undefined)
    throw new Told(`There is no build target ${name}; there are: ${Object.keys(TARGETS).join(', ')}`, 2);
  if (isBuilt(name, target)) return;
  mkdirSync(inRoot('dist'), { recursive: true });
  await withLock(inRoot('dist', `.${name}-building`), `it builds ${target.output}`, async () => {
    if (isBuilt(name, target)) return;
    const note = noteOf(name);
    rmSync(note, { force: true });
    const hash = sourceHash(root, target.sources);
    const env = childEnvironment(runtime);
    const result = await run(runtime, target.command(), { streams: 'quiet', env });
    if (result.code !== 0) {
      say(result.output.trimEnd());
      throw new Told(`Building ${target.output} failed.`);
    }
    writeFileSync(note, `${hash}\n`);
    say(`Built ${target.output} in ${seconds(result.ms)}.`);
  });
}

/** @param {string} name */
function noteOf(name) {
  return inRoot('dist', `.${name}-hash`);
}

/**
 * @param {string} name
 * @param {Target} target
 */
function isBuilt(name, target) {
  const note = noteOf(name);
  return (
    existsSync(note) &&
    existsSync(inRoot(target.output)) &&
    readFileSync(note, 'utf8').trim() === sourceHash(root, target.sources)
  );
}
