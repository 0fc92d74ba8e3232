import { expect, test } from 'vitest';
import config from '../vitest.config.ts';
import { sum } from './report.mjs';
import { runBench } from './commands/memory-bench.mjs';
import { exitCodeOf, mustBeWhole, skippedSuite } from './commands/test.mjs';
import { SYSTEM_PACKAGES } from './bootstrap/packages.mjs';
import { SUITES } from './suites.mjs';

test('the budgets of all suites together stay within half an hour', () => {
  expect(SUITES.reduce((total, suite) => total + suite.budgetSeconds, 0)).toBeLessThanOrEqual(1_800);
});

test('every project of the test configuration belongs to exactly one suite', () => {
  const configured = (config.test?.projects ?? []).map((project) =>
    typeof project === 'object' && 'test' in project ? project.test?.name : undefined,
  );
  expect(SUITES.flatMap((suite) => suite.projects).toSorted()).toEqual(configured.toSorted());
});

test('a suite whose packages are missing is skipped by name, and counts as neither passed nor failed', () => {
  const [suite] = SUITES;
  const lacks = SYSTEM_PACKAGES.filter(({ name }) => ['prosody', 'tmux'].includes(name));
  if (suite === undefined) throw new Error('there is no suite');
  expect(sum([skippedSuite(suite, lacks)])).toEqual({
    passed: 0,
    failed: 0,
    skipped: ['the whole suite: prosody, tmux not installed'],
  });
});

test('a skipped test fails the run of root on Linux, and nobody else’s', () => {
  const skipped = { failed: 0, skipped: ['router ports'] };
  const codeFor = (platform: string, uid: number | undefined): number =>
    exitCodeOf(skipped, mustBeWhole({ platform, uid }));
  expect([codeFor('linux', 0), codeFor('linux', 1000), codeFor('darwin', 0), codeFor('win32', undefined)]).toEqual([
    1, 0, 0, 0,
  ]);
  expect([exitCodeOf({ failed: 0, skipped: [] }, true), exitCodeOf({ failed: 1, skipped: [] }, false)]).toEqual([0, 1]);
});

test.each([
  [0, { passed: 1, failed: 0 }],
  [1, { passed: 0, failed: 1 }],
  [2, { passed: 0, failed: 1 }],
])('a bench of the long tests that ends with %i counts so', async (code, counts) => {
  const args = ['-e', `process.exit(${code})`];
  expect(await runBench(process.execPath, args, process.env, 30_000)).toMatchObject(counts);
});
