import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bitfieldOf } from '../../test/fixtures/bitfield-of.ts';
import { hasBit } from '../base/bitfield.ts';
import { fullBitfield, hasRange, isComplete } from './piece-map.ts';

test('a full bitfield has every piece and no spare bit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), (pieces) => {
      const bitfield = fullBitfield(pieces);
      expect(isComplete(bitfield, pieces)).toBe(true);
      expect(hasBit(bitfield, pieces)).toBe(false);
    }),
  );
});

test('a range is there exactly when each of its pieces is', () => {
  const pieces = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(pieces, fc.nat(), fc.nat(), fc.nat(), fc.nat(), (count, a, b, from, length) => {
      const first = Math.min(a % count, b % count);
      const last = Math.max(a % count, b % count);
      const bitfield = bitfieldOf(count, first, last);
      const start = from % (count * 10);
      const end = Math.min(start + 1 + (length % 60), count * 10);
      const inside = start >= first * 10 && end <= (last + 1) * 10;
      expect(hasRange({ bitfield, pieceLength: 10 }, start, end)).toBe(inside);
    }),
  );
});

test('nothing is there without a bitfield, but an empty range always is', () => {
  expect(hasRange({ bitfield: null, pieceLength: 10 }, 0, 1)).toBe(false);
  expect(hasRange({ bitfield: null, pieceLength: 10 }, 5, 5)).toBe(true);
});
