import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { layoutItem, padme, pieceLengthFor } from './layout.ts';

const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(2 ** 30), fc.constant(0)), { minLength: 1, maxLength: 40 });

test('files and manifest lie in order, aligned, apart, inside whole pieces of a Padmé size', () => {
  fc.assert(
    fc.property(lengths, fc.nat(100_000), (files, manifestLength) => {
      const layout = layoutItem(files, manifestLength);
      const ranges = [...layout.files, layout.manifest];
      expect(ranges.map((range) => range.length)).toEqual([...files, manifestLength]);
      let end = 0;
      for (const { offset, length } of ranges) {
        expect(offset % 16).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(offset - end).toBeLessThan(16);
        end = offset + length;
      }
      expect(layout.totalLength % layout.pieceLength).toBe(0);
      expect(layout.totalLength).toBeGreaterThanOrEqual(Math.max(1, padme(end)));
      expect(layout.totalLength - padme(end)).toBeLessThanOrEqual(layout.pieceLength);
    }),
    { numRuns: fuzzRuns(2000) },
  );
});

test('padding grows a length by less than 12 % and leaves few different lengths', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 2 ** 44 }), (length) => {
      const padded = padme(length);
      expect(padded).toBeGreaterThanOrEqual(length);
      expect(padded).toBeLessThan(length * 1.12);
      expect(padme(padded)).toBe(padded);
    }),
    { numRuns: fuzzRuns(2000) },
  );
  const sizes = new Set(Array.from({ length: 10_000 }, (_, index) => padme(1_000_000_000 + index * 1000)));
  expect(sizes.size).toBe(2);
});

test('padded lengths are those of the paper', () => {
  expect([0, 1, 2, 9, 10, 100, 1000, 1025, 123_456, 1_000_000_007].map(padme)).toEqual([
    0, 1, 2, 10, 10, 104, 1024, 1088, 124_928, 1_006_632_960,
  ]);
});

test('pieces are small for media, their hashes fit beside the event up to 1 GB and into 2 MB always', () => {
  const mib = 2 ** 20;
  const sizes = [1, 50 * mib, 250 * mib, 512 * mib, 1024 * mib, 5000 * mib, 90 * 1024 * mib, 100 * 1024 * mib];
  expect(sizes.map((size) => pieceLengthFor(size) / mib)).toEqual([0.25, 0.25, 0.25, 0.5, 1, 1, 1, 2]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (bytes) => {
      const { totalLength, pieceLength } = layoutItem([bytes], 500);
      expect((totalLength / pieceLength) * 20).toBeLessThanOrEqual(22 * 1024);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 42 }), (bytes) => {
      const { totalLength, pieceLength } = layoutItem([bytes], 500);
      expect((totalLength / pieceLength) * 20).toBeLessThanOrEqual(2_000_000);
    }),
  );
});

test('impossible lengths are refused', () => {
  for (const length of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => layoutItem([length], 0)).toThrow('not a length');
  expect(() => layoutItem([2 ** 44, 1], 0)).toThrow('too long');
});
