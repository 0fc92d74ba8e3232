import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, fromUtf8, toUtf8 } from './bytes.ts';
import { cutText } from './cut-text.ts';

test('pieces are short enough, are texts themselves, and joined are the text again', () => {
  const unit = fc.oneof(
    fc.constantFrom('\n', 'a', 'ñ', '€', '😀', '\uFEFF'),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  );
  const text = fc.array(unit, { maxLength: 200 }).map((units) => units.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 64 }), (said, maxBytes) => {
      const pieces = cutText(said, maxBytes);
      expect(concatBytes(...pieces)).toEqual(toUtf8(said));
      expect(pieces.every((piece) => piece.length <= maxBytes && fromUtf8(piece) !== undefined)).toBe(true);
      expect(pieces.length).toBeLessThanOrEqual(
        Math.max(1, Math.ceil(toUtf8(said).length / Math.max(1, maxBytes - 3) / 0.74)),
      );
    }),
  );
});

test('a piece ends with a line where one ends near', () => {
  const pieces = cutText('one two\nthree four', 10).map((piece) => fromUtf8(piece));
  expect(pieces).toEqual(['one two\n', 'three four']);
});
