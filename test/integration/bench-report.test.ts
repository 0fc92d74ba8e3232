import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BenchReport, BenchResult } from '../bench/parts/report.ts';
import { MissingPeer, benchOptions, compare, median, runBench } from '../bench/parts/report.ts';

const samples = [
  { ours: 10, peer: 5 },
  { ours: 30, peer: 10 },
  { ours: 20, peer: 20 },
];
const line = { name: 'speed', unit: 'MB/s', peerName: 'peer 1.0', samples };

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.push(text));
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'bench.ts', '--json']);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function bench(measure: () => Promise<BenchResult[]>): Promise<{ report: BenchReport; exit: unknown }> {
  await runBench('speed', measure);
  return { report: JSON.parse(printed[0] ?? '') as BenchReport, exit: process.exitCode };
}

test('a result holds the medians of both sides and their ratio', () => {
  expect(compare(line)).toMatchObject({ ours: 20, peer: 10, ratio: 2, bar: null, pass: true, samples });
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a bar is held against our figure or the ratio, in both directions', () => {
  const pass = (bar: Parameters<typeof compare>[0]['bar']): boolean => compare({ ...line, bar: bar ?? null }).pass;
  expect(pass({ op: '>=', value: 2, of: 'ratio' })).toBe(true);
  expect(pass({ op: '>=', value: 2.1, of: 'ratio' })).toBe(false);
  expect(pass({ op: '<=', value: 20, of: 'ours' })).toBe(true);
  expect(pass({ op: '<=', value: 19, of: 'ours' })).toBe(false);
});

test('a ratio without a peer never passes its bar', () => {
  const alone = samples.map(({ ours }) => ({ ours, peer: null }));
  const result = compare({ ...line, peerName: null, samples: alone, bar: { op: '>=', value: 0, of: 'ratio' } });
  expect(result).toMatchObject({ peer: null, ratio: null, pass: false });
});

test('a bench without missed bars ends with 0, with one missed it ends with 1', async () => {
  expect(await bench(async () => [compare(line)])).toMatchObject({ report: { bench: 'speed', pass: true }, exit: 0 });
  printed = [];
  const missed = compare({ ...line, bar: { op: '>=', value: 3, of: 'ratio' } });
  expect(await bench(async () => [missed])).toMatchObject({ report: { pass: false }, exit: 1 });
});

test('a bench whose peer is missing ends with 2 and does not pass', async () => {
  const outcome = await bench(() => Promise.reject(new MissingPeer('install the peer')));
  expect(outcome).toEqual({ report: { bench: 'speed', rounds: 0, results: [], pass: false }, exit: 2 });
});

test('size and rounds come from the arguments or the environment, with at least three rounds', () => {
  expect(benchOptions([], {})).toEqual({ json: false, only: null, bytes: 2 ** 30, count: 1, rounds: 3 });
  const given = ['--rounds', '1', '--bytes', '5', '--count', '9', '--json'];
  expect(benchOptions(given, {})).toMatchObject({ json: true, bytes: 5, count: 9, rounds: 3 });
  expect(benchOptions([], { BENCH_BYTES: '7', BENCH_ROUNDS: '9' })).toMatchObject({ bytes: 7, rounds: 9 });
  expect(() => benchOptions(['--bytes', 'many'], {})).toThrow('--bytes');
});

test('one part of a bench is measured alone, and a part that it does not have is refused', () => {
  const parts = ['libtorrent', 'aria2'];
  expect(benchOptions(['--only', 'aria2'], {}, { parts })).toMatchObject({ only: 'aria2' });
  expect(() => benchOptions(['--only', 'aria'], {}, { parts })).toThrow('libtorrent, aria2');
  expect(() => benchOptions(['--only', 'aria2'], {})).toThrow('it has none');
});

test('an option that no bench has is refused before anything is measured', async () => {
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'bench.ts', '--json', '--round', '5']);
  const measure = vi.fn<() => Promise<BenchResult[]>>(() => Promise.resolve([compare(line)]));
  await runBench('speed', measure);
  expect([process.exitCode, measure.mock.calls.length]).toEqual([2, 0]);
  expect(console.error).toHaveBeenCalledWith(expect.stringContaining('there is no option --round\n'));
  expect(() => benchOptions(['--bytes', '5', 'extra'], {})).toThrow('extra');
});
