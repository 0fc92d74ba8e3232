import { describe, expect, test } from 'vitest';
import { countTests, failuresOf, lastLine, readCounts, suiteTable, sum } from './report.mjs';

const assertion = (status: string, fullName: string): object => ({ status, fullName });

describe('the report of a run', () => {
  test('passed, failed and skipped tests are counted, the skipped ones by name', () => {
    const report = {
      testResults: [
        { status: 'passed', assertionResults: [assertion('passed', 'a'), assertion('skipped', 'b')] },
        {
          status: 'failed',
          assertionResults: [assertion('failed', 'c'), assertion('passed', 'd'), assertion('todo', 'e')],
        },
      ],
    };
    expect(countTests(report)).toEqual({ passed: 2, failed: 1, skipped: ['b', 'e'] });
  });

  test('a file that could not be loaded is a failed test', () => {
    const report = { testResults: [{ status: 'failed', assertionResults: [] }] };
    expect(countTests(report)).toEqual({ passed: 0, failed: 1, skipped: [] });
  });

  test('a failed test is named with its file and the first line of what it said', () => {
    const messages = ['Error: expected 1 to be 2\n    at somewhere'];
    const report = {
      testResults: [
        {
          name: '/far/away/a.test.ts',
          status: 'failed',
          assertionResults: [assertion('passed', 'good'), { ...assertion('failed', 'bad'), failureMessages: messages }],
        },
        { name: '/far/away/b.test.ts', status: 'failed', assertionResults: [], message: 'SyntaxError: no' },
      ],
    };
    expect(failuresOf(report)).toEqual(['a.test.ts › bad: Error: expected 1 to be 2', 'b.test.ts: SyntaxError: no']);
  });

  test('a report that was never written is a failed test', () => {
    expect(readCounts('/nowhere/report.json')).toEqual({ passed: 0, failed: 1, skipped: [] });
  });

  test('the last line holds the sums and names skipped tests only when there are any', () => {
    const one = { passed: 3, failed: 0, skipped: [] };
    const two = { passed: 1, failed: 2, skipped: ['x'] };
    expect(lastLine(one)).toBe('3 passed, 0 failed');
    expect(lastLine(sum([one, two]))).toBe('4 passed, 2 failed, 1 skipped');
  });

  test('a suite over its budget is warned about', () => {
    const suite = { passed: 5, failed: 0, skipped: [], notes: [], budgetSeconds: 60 };
    const table = suiteTable([
      { ...suite, name: 'check', ms: 30_000 },
      { ...suite, name: 'e2e', ms: 90_000, notes: ['a note'] },
    ]);
    expect(table.split('\n')).toEqual([
      'suite    time  share  budget  result',
      'check  30.0 s   25 %    60 s  ok · 5 passed, 0 failed, 0 skipped',
      'e2e    90.0 s   75 %    60 s  ok · 5 passed, 0 failed, 0 skipped · WARNING: over its budget · a note',
    ]);
  });
});
