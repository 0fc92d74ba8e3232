import { expect, test } from 'vitest';
import { pathCrumbs } from './path-crumbs.ts';

test('the way from the home folder down is shown step by step', () => {
  expect(pathCrumbs('/home/anna', '/home/anna/Films/2026', 'Home')).toEqual([
    { name: 'Home', path: '/home/anna' },
    { name: 'Films', path: '/home/anna/Films' },
    { name: '2026', path: '/home/anna/Films/2026' },
  ]);
});

test('the home folder alone is one step', () => {
  expect(pathCrumbs('/home/anna', '/home/anna', 'Home')).toEqual([{ name: 'Home', path: '/home/anna' }]);
});

test('paths of Windows are cut at their own separator', () => {
  expect(pathCrumbs('C:\\Users\\Anna', 'C:\\Users\\Anna\\Videos', 'Home').at(-1)).toEqual({
    name: 'Videos',
    path: 'C:\\Users\\Anna\\Videos',
  });
});

test('a neighbour whose name begins alike is not taken for a child', () => {
  expect(pathCrumbs('/home/anna', '/home/annabelle/x', 'Home')).toHaveLength(1);
});
