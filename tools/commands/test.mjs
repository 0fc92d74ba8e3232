import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ensurePackages } from '../bootstrap/packages.mjs';
import { inRoot, root } from '../bootstrap/root.mjs';
import { childEnvironment } from '../bootstrap/runtime.mjs';
import { Interrupted, Told, say } from '../bootstrap/say.mjs';
import { alignColumns, lastLine, readFailures, readFiles, suiteTable, sum } from '../report.mjs';
import { divideTime, shareRows } from '../shares.mjs';
import { FRESH_CLONE, MEMORY, SUITES } from '../suites.mjs';
import { runCheck } from './check.mjs';
import { freshClone } from './fresh-clone.mjs';
import { memoryBench } from './memory-bench.mjs';
import { reportOf, runVitest } from './vitest.mjs';

/**
 * `npm test [-- SUITE …]`; the long form gives property tests and fuzzers more runs and every suite more time.
 * @param {string} runtime
 * @param {readonly string[]} names
 * @param {boolean} long
 */
export async function test(runtime, names, long) {
  const suites = chooseSuites(names, long ? [...SUITES, MEMORY, FRESH_CLONE] : SUITES);
  const missing = await ensurePackages('test');
  const factor = long ? 10 : 1;
  /** @type {import('../report.mjs').SuiteResult[]} */
  const results = [];
  for (const suite of suites) {
    console.log(`\n━━ ${suite.name}: ${suite.what}`);
    const lacks = mustBeWhole() ? [] : missing.filter((each) => each.suites.includes(suite.name));
    const result = lacks.length > 0 ? skippedSuite(suite, lacks) : await runSuite(suite, runtime, factor);
    console.log(`━━ ${suite.name}: ${(result.ms / 1000).toFixed(1)} s, ${lastLine(result)}`);
    results.push(result);
  }
  if (names.length === 0 && !long) printShares(results);
  return conclude(results);
}

/**
 * Whether everything can be installed on this machine: a skipped test would hide that something is not tested.
 * @param {{ platform: string, uid: number | undefined }} [who]
 */
export function mustBeWhole({ platform, uid } = { platform: process.platform, uid: process.getuid?.() }) {
  return platform === 'linux' && uid === 0;
}

/**
 * @param {Pick<import('../report.mjs').Counts, 'failed' | 'skipped'>} counts
 * @param {boolean} isWhole whether nothing may be skipped
 */
export function exitCodeOf({ failed, skipped }, isWhole) {
  return failed > 0 || (isWhole && skipped.length > 0) ? 1 : 0;
}

/**
 * @param {import('../suites.mjs').Suite} suite
 * @param {readonly import('../bootstrap/packages.mjs').SystemPackage[]} lacks
 * @returns {import('../report.mjs').SuiteResult}
 */
export function skippedSuite(suite, lacks) {
  const skipped = [`the whole suite: ${lacks.map((each) => each.name).join(', ')} not installed`];
  return {
    name: suite.name,
    passed: 0,
    failed: 0,
    skipped,
    notes: ['SKIPPED'],
    ms: 0,
    budgetSeconds: suite.budgetSeconds,
  };
}

/**
 * @param {readonly string[]} names none for all
 * @param {readonly import('../suites.mjs').Suite[]} all
 */
function chooseSuites(names, all) {
  const known = all.map((suite) => suite.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Told(`There is no suite ${unknown.join(', ')}; there are: ${known.join(', ')}`, 2);
  return names.length === 0 ? all : all.filter((suite) => names.includes(suite.name));
}

/**
 * @param {import('../suites.mjs').Suite} suite
 * @param {string} runtime
 * @param {number} factor
 * @returns {Promise<import('../report.mjs').SuiteResult>}
 */
async function runSuite(suite, runtime, factor) {
  const startedMs = performance.now();
  const budgetSeconds = suite.budgetSeconds * factor;
  // A hanging test must not hang the whole run: three times the budget is the end.
  const timeoutMs = budgetSeconds * 3000;
  const env = { ...childEnvironment(runtime), ...(factor > 1 ? { SPHERECAST_LONG: '1' } : {}) };
  const counts = await guarded(suite, async () => {
    if (suite.steps) return runCheck(runtime, env, timeoutMs);
    if (suite === FRESH_CLONE) return freshClone(timeoutMs);
    if (suite === MEMORY) return memoryBench(runtime, env, timeoutMs);
    return { ...(await runVitest({ name: suite.name, projects: suite.projects, runtime, env, timeoutMs })), notes: [] };
  });
  const files = testFiles(suite);
  if (suite.files.length > 0 && files === 0) counts.notes.push('no test files');
  else if (files > 0 && counts.passed + counts.failed + counts.skipped.length === 0) {
    counts.failed = 1;
    counts.notes.push(`none of its ${files} files ran a test`);
  }
  return { ...counts, name: suite.name, ms: performance.now() - startedMs, budgetSeconds };
}

/**
 * A suite that could not start is a failed one; the others still run.
 * @param {import('../suites.mjs').Suite} suite
 * @param {() => Promise<import('../report.mjs').Counts & { notes: string[] }>} work
 */
async function guarded(suite, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    say(`${suite.name}: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: [], notes: ['could not start'] };
  }
}

/** @param {import('../suites.mjs').Suite} suite */
function testFiles(suite) {
  let count = 0;
  for (const place of suite.files) {
    const folder = inRoot(...place.folder.split('/'));
    if (!existsSync(folder)) continue;
    const names = readdirSync(folder, { recursive: place.deep, encoding: 'utf8' });
    count += names.filter((name) => place.pattern.test(path.basename(name)) && !name.includes('node_modules')).length;
  }
  return count;
}

/** @param {readonly import('../report.mjs').SuiteResult[]} results */
function printShares(results) {
  const suites = results.map(({ name, ms }) => ({ ms, files: readFiles(reportOf(name)) }));
  console.log(`\n${alignColumns(shareRows(divideTime(suites, root)))}`);
}

/** @param {readonly import('../report.mjs').SuiteResult[]} results */
function conclude(results) {
  const counts = sum(results);
  console.log(`\n${suiteTable(results)}`);
  for (const { name } of results)
    for (const line of readFailures(reportOf(name))) console.log(`failed: ${name} › ${line}`);
  for (const result of results) for (const name of result.skipped) console.log(`skipped: ${result.name} › ${name}`);
  const isWhole = mustBeWhole();
  if (isWhole && counts.skipped.length > 0)
    console.log('As root on Linux nothing may be skipped: this run has failed.');
  console.log(`\n${lastLine(counts)}`);
  return exitCodeOf(counts, isWhole);
}
