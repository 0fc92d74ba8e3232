import { expect, test } from 'vitest';
import { clearBit, hasAnyBit, hasBit, setBit } from './bitfield.ts';

test('piece 0 is the high bit of the first byte', () => {
  const bitfield = new Uint8Array(2);
  setBit(bitfield, 0);
  setBit(bitfield, 9);
  expect([...bitfield]).toEqual([0x80, 0x40]);
  expect([0, 1, 8, 9, 16].map((index) => hasBit(bitfield, index))).toEqual([true, false, false, true, false]);
  clearBit(bitfield, 0);
  expect([...bitfield]).toEqual([0, 0x40]);
  expect(hasBit(null, 0)).toBe(false);
});

test('a bit beyond the end is neither there nor set', () => {
  const bitfield = Uint8Array.of(0xff);
  setBit(bitfield, 8);
  expect(bitfield).toEqual(Uint8Array.of(0xff));
  expect(hasBit(bitfield, 8)).toBe(false);
});

test('a range has a bit when one of its ends or a bit between them is set', () => {
  const bitfield = Uint8Array.of(0x10, 0x40);
  const ranges = [
    [0, 2],
    [0, 3],
    [3, 3],
    [4, 8],
    [4, 9],
    [10, 20],
  ] as const;
  const found = ranges.map(([first, last]) => hasAnyBit(bitfield, { first, last }));
  expect(found).toEqual([false, true, true, false, true, false]);
});
