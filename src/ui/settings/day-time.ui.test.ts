import { expect, test } from 'vitest';
import { DAY_CHOICES, dayChoice, fromTimeText, toTimeText } from './day-time.ts';

test('a time of day is read as it was written', () => {
  expect([0, 485, 1439].map(toTimeText)).toEqual(['00:00', '08:05', '23:59']);
  expect(['00:00', '08:05:00', '23:59'].map(fromTimeText)).toEqual([0, 485, 1439]);
  expect(['', '24:00', '8:5', '12:60'].map(fromTimeText)).toEqual([null, null, null, null]);
});

test('each choice of days is recognised, and other days come nearest to one', () => {
  expect(Object.values(DAY_CHOICES).map(dayChoice)).toEqual(['every', 'work', 'weekend']);
  expect(dayChoice([1, 3])).toBe('work');
  expect(dayChoice([3, 6])).toBe('every');
});
