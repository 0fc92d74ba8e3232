import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { searchTerms } from '../base/search-words.ts';
import { parseEventId, parseSphereId } from '../base/id.ts';
import { TextIndex } from './text-index.ts';

const SEA = parseSphereId('a'.repeat(64));
const HILL = parseSphereId('b'.repeat(64));
const idOf = (number: number) => parseEventId(number.toString(16).padStart(64, '0'));

function setUp() {
  const index = new TextIndex();
  onTestFinished(() => index[Symbol.dispose]());
  const put = (number: number, text: string, more: { atMs?: number; place?: typeof SEA } = {}): void =>
    index.put({ id: idOf(number), place: SEA, atMs: number, order: number, text, ...more });
  const find = (wanted: string, places = [SEA, HILL], limit = 10): number[] =>
    index.find({ terms: searchTerms(wanted), places, limit }).map((id) => Number.parseInt(id, 16));
  return { index, put, find };
}

test('lines are found newest first, whatever the order they came in, and only in the places asked for', () => {
  const { put, find } = setUp();
  put(2, 'the beach at noon');
  put(3, 'beach again', { place: HILL });
  put(1, 'a beach chair');
  put(4, 'later, and yet of the same moment: beach', { atMs: 2 });
  expect(find('beach')).toEqual([3, 4, 2, 1]);
  expect(find('beach', [SEA])).toEqual([4, 2, 1]);
  expect(find('bea', [SEA], 2)).toEqual([4, 2]);
  expect(find('beach noon')).toEqual([2]);
  expect(find('beach', [])).toEqual([]);
});

test('a line is found by the words it has now, and not at all once they are gone', () => {
  const { index, put, find } = setUp();
  put(1, 'first words');
  put(1, 'other words');
  expect([find('first'), find('other')]).toEqual([[], [1]]);
  put(1, '');
  expect(find('other')).toEqual([]);
  put(1, 'back again');
  index.remove(idOf(1));
  index.remove(idOf(7));
  expect(find('back')).toEqual([]);
});

test('more lines than fit into one millisecond are all kept and told apart', () => {
  const { index, put, find } = setUp();
  index.together(() => {
    for (let number = 0; number < 1100; number += 1) put(number, `line n${number}`, { atMs: 5 });
  });
  expect(find('n1099')).toEqual([1099]);
  expect(find('line', [SEA], 2000)).toHaveLength(1100);
});

test('what people look for is never syntax', () => {
  const { put, find } = setUp();
  put(1, 'NEAR OR NOT: words^2 {a b} "quoted" col:umn (x) -y *');
  for (const wanted of ['"', '*', 'NOT', 'NEAR(a b)', 'words:', '{a', '"quo', 'col:umn', '^', '(x', '-y', "'; DROP"]) {
    expect(find(wanted)).toEqual(searchTerms(wanted).length === 0 || wanted.includes('DROP') ? [] : [1]);
  }
});

test('any line is found by any of its words, whatever signs stand around them', () => {
  const { put, find } = setUp();
  let number = 0;
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      number += 1;
      put(number, text);
      for (const term of searchTerms(text)) expect(find(term, [SEA], 1000)).toContain(number);
    }),
    { numRuns: process.env['SPHERECAST_LONG'] === '1' ? 5000 : 60 },
  );
});
