import { expect, test } from 'vitest';
import { PieceTags } from './piece-tags.ts';

const tags = () => new PieceTags((length) => new Uint8Array(length).fill(9));

test('what was learnt of a list of pieces is there when the same list comes again', () => {
  const book = tags();
  const digests = new Uint8Array(40).fill(1);
  book.of(digests, 2).set([1, 2, 3]);
  expect(Array.from(book.of(Uint8Array.from(digests), 2).subarray(0, 4))).toEqual([1, 2, 3, 0]);
  expect(book.of(new Uint8Array(40).fill(2), 2).every((byte) => byte === 0)).toBe(true);
});

test('lists that nobody asked for lately are forgotten, and the one in use is not, however long', () => {
  const book = tags();
  const list = (number: number) => book.of(new Uint8Array(20).fill(number), 200_000);
  list(1).set([1]);
  list(2).set([2]);
  list(1);
  list(3).set([3]);
  expect([list(1)[0], list(2)[0]]).toEqual([1, 0]);
  book.of(new Uint8Array(20).fill(4), 1_000_000).set([4]);
  expect(book.of(new Uint8Array(20).fill(4), 1_000_000)[0]).toBe(4);
});
