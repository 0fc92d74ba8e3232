import { expect, test } from 'vitest';
import config from '../vitest.config.ts';
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
