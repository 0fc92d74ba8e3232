import { posix, win32 } from 'node:path';
import { expect, test } from 'vitest';
import { isWithin } from './is-within.ts';

test('within a folder is what lies in it, however deep and whatever its name, and itself', () => {
  const inside = ['/home/ana', '/home/ana/', '/home/ana/film', '/home/ana/a/b', '/home/ana/..film'];
  expect(inside.filter((path) => !isWithin('/home/ana', path, posix))).toEqual([]);
  const outside = ['/home', '/home/anabel', '/home/ben/film', '/home/ana/../ben', '/'];
  expect(outside.filter((path) => isWithin('/home/ana', path, posix))).toEqual([]);
});

test('what lies on another drive of Windows is not taken for a part of the folder', () => {
  expect(isWithin('C:\\family', 'C:\\Family\\film.mp4', win32)).toBe(true);
  expect(
    ['D:\\family\\film.mp4', 'D:\\', '\\\\nas\\family'].filter((path) => isWithin('C:\\family', path, win32)),
  ).toEqual([]);
});
