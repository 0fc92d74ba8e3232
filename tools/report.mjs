import { existsSync } from 'node:fs';
import { readJson } from './bootstrap/root.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped: string[] }} Counts
 * @typedef {Counts & { name: string, ms: number, budgetSeconds: number, notes: string[] }} SuiteResult
 */

/**
 * Counts the tests of a vitest JSON report. A file that could not be loaded counts as one failed test.
 * @param {any} report
 * @returns {Counts}
 */
export function countTests(report) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const file of report.testResults ?? []) {
    let failedHere = 0;
    for (const test of file.assertionResults ?? []) {
      if (test.status === 'passed') counts.passed += 1;
      else if (test.status === 'failed') failedHere += 1;
      else counts.skipped.push(test.fullName ?? test.title);
    }
    if (file.status === 'failed' && failedHere === 0) failedHere = 1;
    counts.failed += failedHere;
  }
  return counts;
}

/**
 * Counts of a report file; one failed test when vitest ended without writing it.
 * @param {string} file
 * @returns {Counts}
 */
export function readCounts(file) {
  return existsSync(file) ? countTests(readJson(file)) : { passed: 0, failed: 1, skipped: [] };
}

/**
 * A line for each failed test of a vitest JSON report: file, name and the first line of what it said.
 * @param {any} report
 * @returns {string[]}
 */
export function failuresOf(report) {
  return (report.testResults ?? []).flatMap((/** @type {any} */ file) => {
    const name = String(file.name).split(/[/\\]/).at(-1);
    const failed = (file.assertionResults ?? []).filter((/** @type {any} */ test) => test.status === 'failed');
    if (file.status === 'failed' && failed.length === 0) return [`${name}: ${firstLine(file.message)}`];
    return failed.map(
      (/** @type {any} */ test) => `${name} › ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`,
    );
  });
}

/** @param {unknown} text */
function firstLine(text) {
  return String(text ?? '').split('\n')[0] ?? '';
}

/**
 * The failed tests of a report file; none when there is no report.
 * @param {string} file
 */
export function readFailures(file) {
  return existsSync(file) ? failuresOf(readJson(file)) : [];
}

/**
 * When each test file of a report began and ended; none when there is no report.
 * @param {string} file
 * @returns {import('./shares.mjs').FileTime[]}
 */
export function readFiles(file) {
  return existsSync(file) ? (readJson(file).testResults ?? []) : [];
}

/**
 * @param {readonly Counts[]} all
 * @returns {Counts}
 */
export function sum(all) {
  return {
    passed: all.reduce((total, each) => total + each.passed, 0),
    failed: all.reduce((total, each) => total + each.failed, 0),
    skipped: all.flatMap((each) => each.skipped),
  };
}

/**
 * The last line of a run, and nothing else on it.
 * @param {Counts} counts
 */
export function lastLine(counts) {
  const skipped = counts.skipped.length === 0 ? '' : `, ${counts.skipped.length} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

/**
 * A line per suite: time, share of the whole, budget, result.
 * @param {readonly SuiteResult[]} results
 */
export function suiteTable(results) {
  const totalMs = results.reduce((total, each) => total + each.ms, 0);
  const rows = results.map((each) => [
    each.name,
    `${(each.ms / 1000).toFixed(1)} s`,
    `${Math.round((100 * each.ms) / Math.max(1, totalMs))} %`,
    `${each.budgetSeconds} s`,
    [
      resultWord(each),
      `${each.passed} passed, ${each.failed} failed, ${each.skipped.length} skipped`,
      ...(each.ms > each.budgetSeconds * 1000 ? ['WARNING: over its budget'] : []),
      ...each.notes,
    ].join(' · '),
  ]);
  return alignColumns([['suite', 'time', 'share', 'budget', 'result'], ...rows]);
}

/** @param {Counts} counts */
function resultWord(counts) {
  if (counts.failed > 0) return 'FAILED';
  return counts.passed + counts.skipped.length === 0 ? 'EMPTY' : 'ok';
}

/** @param {readonly (readonly string[])[]} rows */
export function alignColumns(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          const isNumber = column > 0 && column < row.length - 1;
          return isNumber ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
