import { inRoot } from '../bootstrap/root.mjs';
import { Interrupted } from '../bootstrap/say.mjs';
import { run } from '../bootstrap/spawn.mjs';
import { build } from '../build.mjs';

/**
 * Shares 100 GB and fetches a fiftieth of it: too long for `npm test`, and its bar holds all the same.
 * @param {string} runtime
 * @param {NodeJS.ProcessEnv} env
 * @param {number} timeoutMs
 * @returns {Promise<import('../report.mjs').Counts & { notes: string[] }>}
 */
export async function memoryBench(runtime, env, timeoutMs) {
  await build('programs', runtime);
  return runBench(runtime, [inRoot('test', 'bench', 'memory.ts')], env, timeoutMs);
}

/**
 * A bench counts as one test, which fails where a bar is missed or nothing could be measured.
 * @param {string} runtime
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {number} timeoutMs
 */
export async function runBench(runtime, args, env, timeoutMs) {
  const { code, interrupted } = await run(runtime, args, { env, timeoutMs, group: true });
  if (interrupted) throw new Interrupted();
  const isWell = code === 0;
  return { passed: isWell ? 1 : 0, failed: isWell ? 0 : 1, skipped: [], notes: isWell ? [] : ['a bar is missed'] };
}
