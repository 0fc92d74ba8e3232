import { expect, test } from 'vitest';
import { lookOf } from './look-alike.ts';

test.each([
  ['Anna', 'аnnа'],
  ['Ben Moreau', 'BEN  MOREAU'],
  ['Zoé', 'zoe'],
  ['Ian', 'Ιan'],
  ['Lisa', '1isa'],
  ['Marno', 'Mamo'],
  ['Ana', 'Ａｎａ'],
  ['Ben', 'Bᴇɴ'],
])('%s is taken for %s', (one, other) => {
  expect(lookOf(one)).toBe(lookOf(other));
});

test('other names are not taken for one another, nor are names of signs alone', () => {
  const names = ['Anna', 'Ana', 'Ben', 'Bea', '😀', '🐋', 'Оля', 'Юля'];
  expect(new Set(names.map(lookOf)).size).toBe(names.length);
});
