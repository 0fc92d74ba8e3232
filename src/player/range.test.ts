import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { parseRange } from './range.ts';

test.each([
  [undefined, 100, { kind: 'whole' }],
  ['bytes=0-', 100, { kind: 'part', from: 0, to: 100 }],
  ['bytes=0-0', 100, { kind: 'part', from: 0, to: 1 }],
  ['bytes=99-', 100, { kind: 'part', from: 99, to: 100 }],
  ['bytes=10-19', 100, { kind: 'part', from: 10, to: 20 }],
  ['bytes=10-1000', 100, { kind: 'part', from: 10, to: 100 }],
  ['bytes=-10', 100, { kind: 'part', from: 90, to: 100 }],
  ['bytes=-1000', 100, { kind: 'part', from: 0, to: 100 }],
  ['bytes=100-', 100, { kind: 'unsatisfiable' }],
  ['bytes=99999999999999999999999-', 100, { kind: 'unsatisfiable' }],
  ['bytes=-0', 100, { kind: 'unsatisfiable' }],
  ['bytes=0-', 0, { kind: 'unsatisfiable' }],
  ['bytes=-5', 0, { kind: 'unsatisfiable' }],
  ['bytes=20-10', 100, { kind: 'whole' }],
  ['bytes=0-1,5-6', 100, { kind: 'whole' }],
  ['bytes=-', 100, { kind: 'whole' }],
  ['bytes=a-b', 100, { kind: 'whole' }],
  ['bytes=1-2-3', 100, { kind: 'whole' }],
  ['items=0-5', 100, { kind: 'whole' }],
  ['bytes=+1-5', 100, { kind: 'whole' }],
  ['', 100, { kind: 'whole' }],
])('%j of %d bytes is %j', (header, size, expected) => {
  expect(parseRange(header, size)).toEqual(expected);
});

test('whatever the header says, a part lies inside of the resource and is not empty', () => {
  const header = fc.oneof(
    fc.string(),
    fc.string().map((text) => `bytes=${text}`),
    fc.tuple(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n })).map(([a, b]) => `bytes=${a}-${b}`),
    fc.nat().map((length) => `bytes=-${length}`),
  );
  fc.assert(
    fc.property(header, fc.nat(), (text, size) => {
      const range = parseRange(text, size);
      const inside = range.kind !== 'part' || (range.from >= 0 && range.from < range.to && range.to <= size);
      expect(inside).toBe(true);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

test('a well-formed range is exactly the slice it names', () => {
  const bytes = Array.from({ length: 50 }, (_, index) => index);
  fc.assert(
    fc.property(fc.nat(49), fc.nat(100), (from, more) => {
      const range = parseRange(`bytes=${from}-${from + more}`, bytes.length);
      expect(range.kind === 'part' ? bytes.slice(range.from, range.to) : []).toEqual(
        bytes.slice(from, from + more + 1),
      );
    }),
  );
});
