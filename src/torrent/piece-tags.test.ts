import { expect, test } from 'vitest';
import { PieceTags } from './piece-tags.ts';

const tags = () => new PieceTags((length) => new Uint8Array(length).fill(9));
const sealed = (byte: string) => ({ over: 'sealed', tag: byte.repeat(16) }) as const;

test('what was found out about a list of pieces is there when the same list comes again', () => {
  const book = tags();
  const digests = new Uint8Array(60).fill(1);
  book.of(digests, 3).set(0, sealed('0a'));
  book.of(digests, 3).set(1, { over: 'plain', tag: '2a'.repeat(16) });
  const again = book.of(Uint8Array.from(digests), 3);
  expect([0, 1, 2].map((index) => again.get(index))).toEqual([
    sealed('0a'),
    { over: 'plain', tag: '2a'.repeat(16) },
    null,
  ]);
  expect(book.of(new Uint8Array(60).fill(2), 3).get(0)).toBeNull();
});

test('a tag that could not be made is none', () => {
  const list = tags().of(new Uint8Array(20), 1);
  list.set(0, { over: 'sealed', tag: '' });
  expect(list.get(0)).toBeNull();
  // As the threads that hash leave it where the crypto library gives no tags: each reading would be done twice.
  list.set(0, sealed('00'));
  expect(list.get(0)).toBeNull();
});

test('lists that nobody asked for lately are forgotten, and the one in use is not, however long', () => {
  const book = tags();
  const list = (number: number, pieces = 200_000) => book.of(new Uint8Array(20).fill(number), pieces);
  list(1).set(7, sealed('01'));
  list(2).set(7, sealed('02'));
  list(1);
  list(3).set(7, sealed('03'));
  expect([list(1).get(7), list(2).get(7)]).toEqual([sealed('01'), null]);
  list(4, 1_000_000).set(7, sealed('04'));
  expect(list(4, 1_000_000).get(7)).toEqual(sealed('04'));
});
