import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('what was set last is kept, the oldest first, and setting again makes new', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect([...map]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
  expect([map.get('a'), map.get('b'), map.has('b'), map.has('c')]).toEqual([3, undefined, false, true]);
  map.delete('a');
  expect([...map]).toEqual([['c', 4]]);
  map.clear();
  expect([...map]).toEqual([]);
});
