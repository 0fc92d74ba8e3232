import { existsSync, readdirSync } from 'node:fs';
import { inRoot } from '../bootstrap/root.mjs';
import { binOf, childEnvironment } from '../bootstrap/runtime.mjs';
import { Interrupted, Told, seconds } from '../bootstrap/say.mjs';
import { run } from '../bootstrap/spawn.mjs';
import { withTempFolder } from '../bootstrap/temp-folder.mjs';
import { alignColumns, lastLine, sum } from '../report.mjs';
import { SUITES } from '../suites.mjs';
import { runVitest } from './vitest.mjs';

/** @typedef {{ name: string, args: string[] }} Step */

/**
 * The steps before the tests: two lists that run side by side and take about as long. Each runs with the pinned runtime.
 * @returns {Step[][]}
 */
function steps() {
  const layers = ['--config', '.dependency-cruiser.cjs', ...layerFolders()];
  return [
    [
      { name: 'format', args: [binOf('oxfmt', 'oxfmt'), '--check'] },
      { name: 'lint', args: [binOf('oxlint', 'oxlint'), '--deny-warnings'] },
      { name: 'types', args: [binOf('@typescript/native', 'tsc'), '-p', '.'] },
      { name: 'layers', args: [binOf('dependency-cruiser', 'depcruise'), ...layers] },
    ],
    // One core is all that it uses.
    [{ name: 'types of the UI', args: [binOf('vue-tsc', 'vue-tsc'), '--noEmit', '-p', 'src/ui'] }],
  ];
}

/** Folders without a source file would end the layer check with an error. */
function layerFolders() {
  return ['src', 'electron'].filter((folder) => existsSync(inRoot(folder)) && readdirSync(inRoot(folder)).length > 0);
}

/**
 * Runs steps one after the other, and shows what each said once it is over.
 * @param {readonly Step[]} list
 * @param {string} runtime
 * @param {{ env: NodeJS.ProcessEnv, timeoutMs: number }} options
 */
async function runSteps(list, runtime, options) {
  /** @type {{ name: string, ms: number, ok: boolean }[]} */
  const results = [];
  for (const { name, args } of list) {
    const { code, ms, output, interrupted } = await run(runtime, args, { ...options, streams: 'quiet', group: true });
    if (interrupted) throw new Interrupted();
    console.log(`\n▸ ${name}\n${output.trimEnd()}`);
    results.push({ name, ms, ok: code === 0 });
  }
  return results;
}

/**
 * Runs all steps and the unit tests. A step counts as one test.
 * @param {string} runtime
 * @param {NodeJS.ProcessEnv} env
 * @param {number} timeoutMs
 * @returns {Promise<import('../report.mjs').Counts & { notes: string[] }>}
 */
export async function runCheck(runtime, env, timeoutMs) {
  /** @type {import('../report.mjs').Counts[]} */
  const all = [];
  const rows = [['step', 'time', 'result']];
  /** @type {string[]} */
  const failed = [];
  const results = await Promise.all(steps().map((list) => runSteps(list, runtime, { env, timeoutMs })));
  for (const { name, ms, ok } of results.flat()) {
    all.push({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [] });
    if (!ok) failed.push(name);
    rows.push([name, seconds(ms), ok ? 'ok' : 'FAILED']);
  }
  console.log('\n▸ unit tests');
  const startedMs = performance.now();
  const tests = await withTempFolder(env, (inFolder) =>
    runVitest({ name: 'check', projects: ['unit', 'ui'], runtime, env: inFolder, timeoutMs }),
  );
  all.push(tests);
  if (tests.failed > 0) failed.push('unit tests');
  const result = tests.failed > 0 ? 'FAILED' : 'ok';
  rows.push(['unit tests', seconds(performance.now() - startedMs), `${result} · ${lastLine(tests)}`]);
  console.log(`\n${alignColumns(rows)}`);
  return { ...sum(all), notes: failed.length === 0 ? [] : [`failed: ${failed.join(', ')}`] };
}

/**
 * `npm run check`
 * @param {string} runtime
 * @param {readonly string[]} args
 */
export async function check(runtime, args) {
  if (args.length > 0) throw new Told(`The check takes no arguments: ${args.join(' ')}`, 2);
  const budgetSeconds = SUITES.find((suite) => suite.name === 'check')?.budgetSeconds ?? 100;
  const counts = await runCheck(runtime, childEnvironment(runtime), budgetSeconds * 3000);
  console.log(`\n${lastLine(counts)}`);
  return counts.failed === 0 ? 0 : 1;
}
