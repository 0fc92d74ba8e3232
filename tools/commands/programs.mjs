import { existsSync, readdirSync } from 'node:fs';
import { ensurePackages } from '../bootstrap/packages.mjs';
import { inRoot, root } from '../bootstrap/root.mjs';
import { childEnvironment } from '../bootstrap/runtime.mjs';
import { Told, say } from '../bootstrap/say.mjs';
import { run } from '../bootstrap/spawn.mjs';
import { ENGINE_OPTIONS, SPHERECAST, build, buildAll } from '../build.mjs';

/**
 * `npm run -s spherecast -- …`: our streams are the program's, relative paths are those of the person's folder.
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function spherecast(runtime, args) {
  await build('programs', runtime);
  if (args.includes('serve')) await build('ui', runtime);
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  return runProgram(runtime, SPHERECAST, args, cwd, ENGINE_OPTIONS);
}

/**
 * `npm run bench -- NAME [--json]`
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function bench(runtime, args) {
  const [name, ...rest] = args;
  const names = benchNames();
  if (name === undefined || !names.includes(name)) {
    say(
      `${name === undefined ? 'Which bench?' : `There is no bench ${name}.`} There are: ${names.join(', ') || 'none'}`,
    );
    return 2;
  }
  await ensurePackages('bench');
  await build('programs', runtime);
  return runProgram(runtime, inRoot('test', 'bench', `${name}.ts`), rest, root);
}

/** Benches are the files right inside test/bench; what they share lies in folders below it. */
export function benchNames() {
  const folder = inRoot('test', 'bench');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted();
}

/**
 * `npm run demo`
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function demo(runtime, args) {
  await ensurePackages('demo');
  await buildAll(runtime);
  return runProgram(runtime, inRoot('tools', 'demo.ts'), args, root);
}

/**
 * `npm run smoke`: the scenario of the stand-in on a real Electron.
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function smoke(runtime, args) {
  if (args.length > 0) throw new Told(`The smoke test takes no arguments: ${args.join(' ')}`, 2);
  await buildAll(runtime);
  return runProgram(runtime, inRoot('tools', 'smoke.mjs'), args, root);
}

/**
 * @param {string} runtime
 * @param {string} script
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {readonly string[]} options of Node.js
 */
async function runProgram(runtime, script, args, cwd, options = []) {
  if (!existsSync(script)) throw new Told(`This checkout has no ${script.slice(root.length + 1)}.`);
  const result = await run(runtime, [...options, script, ...args], { cwd, env: childEnvironment(runtime) });
  return result.code;
}
