import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { inRoot } from '../bootstrap/root.mjs';
import { binOf } from '../bootstrap/runtime.mjs';
import { Interrupted, say } from '../bootstrap/say.mjs';
import { run } from '../bootstrap/spawn.mjs';
import { readCounts } from '../report.mjs';

/**
 * Where the report of a suite lies.
 * @param {string} suite
 */
export function reportOf(suite) {
  return inRoot('artefacts', 'test', `${suite}.json`);
}

/**
 * Runs vitest projects and counts their tests; an unexpected end is a failed test.
 * @param {{ name: string, projects: string[], runtime: string, env: NodeJS.ProcessEnv, timeoutMs: number }} options
 * @returns {Promise<import('../report.mjs').Counts>}
 */
export async function runVitest(options) {
  const report = reportOf(options.name);
  mkdirSync(path.dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const projects = options.projects.flatMap((project) => ['--project', project]);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = [binOf('vitest', 'vitest'), 'run', ...projects, ...reporters, '--passWithNoTests'];
  const result = await run(options.runtime, args, { env: options.env, timeoutMs: options.timeoutMs, group: true });
  if (result.interrupted) throw new Interrupted();
  const counts = readCounts(report);
  if (result.timedOut) say(`${options.name} was ended after ${Math.round(options.timeoutMs / 1000)} s.`);
  if (result.code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}
