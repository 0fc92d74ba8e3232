import { expect, test } from 'vitest';
import {
  daysAgo,
  formatAgo,
  formatBytes,
  formatClock,
  formatDay,
  formatRate,
  formatShare,
  formatSpan,
  formatTime,
  regionalLocale,
  timeLeftMs,
} from './format.ts';

/** Intl uses several kinds of spaces. */
const plain = (text: string): string => text.replaceAll(/\s/gu, ' ');

test('a time is written as in the region of the person, not always as in America', () => {
  const afternoon = new Date(2026, 7, 1, 16, 5).getTime();
  expect(formatTime(afternoon, regionalLocale('en', ['en-GB', 'en']))).toBe('16:05');
  expect(plain(formatTime(afternoon, regionalLocale('en', ['de-DE', 'en-US'])))).toBe('4:05 PM');
  expect(regionalLocale('fr', ['en-GB'])).toBe('fr');
});

test('sizes are said in the unit that gives a short number', () => {
  expect(plain(formatBytes(0, 'en'))).toBe('0 bytes');
  expect(plain(formatBytes(999_400, 'en'))).toBe('999 kB');
  expect(plain(formatBytes(999_600, 'en'))).toBe('1 MB');
  expect(plain(formatBytes(1_840_000_000, 'en'))).toBe('1.8 GB');
  expect(plain(formatBytes(1_840_000_000, 'fr'))).toBe('1,8 Go');
});

test('rates are said per second, never in single bytes', () => {
  expect(plain(formatRate(3_400_000, 'en'))).toBe('3.4 MB/s');
  expect(plain(formatRate(120, 'en'))).toBe('0 kB/s');
  expect(plain(formatRate(890_000, 'fr'))).toBe('890 ko/s');
});

test('something incomplete never says one hundred percent', () => {
  expect(formatShare(999, 1000, 'en')).toBe('99%');
  expect(formatShare(1000, 1000, 'en')).toBe('100%');
  expect(formatShare(0, 0, 'en')).toBe('100%');
});

test('the length of a film looks like a clock', () => {
  expect(formatClock(187_000)).toBe('3:07');
  expect(formatClock(3_765_000)).toBe('1:02:45');
});

test('time left is coarse and unknown when nothing moves', () => {
  expect(timeLeftMs(1000, 0)).toBeNull();
  expect(timeLeftMs(2_000_000, 1_000_000)).toBe(2000);
  expect(plain(formatSpan(2000, 'en'))).toBe('2 sec');
  expect(plain(formatSpan(47_000, 'en'))).toBe('45 sec');
  expect(plain(formatSpan(6 * 60_000, 'en'))).toBe('6 min');
  expect(plain(formatSpan(125 * 60_000, 'en'))).toBe('2 hr 5 min');
});

test('days are counted by the calendar', () => {
  const noon = new Date(2026, 2, 12, 12).getTime();
  expect(daysAgo(new Date(2026, 2, 11, 23, 59).getTime(), noon)).toBe(1);
  expect(formatDay(noon, noon, 'en')).toBe('Today');
  expect(formatDay(new Date(2026, 2, 11, 23).getTime(), noon, 'fr')).toBe('Hier');
  expect(formatDay(new Date(2026, 0, 3).getTime(), noon, 'en')).toBe('January 3');
  expect(formatDay(new Date(2024, 0, 3).getTime(), noon, 'en')).toBe('January 3, 2024');
  expect(plain(formatAgo(noon - 5 * 60_000, noon, 'en'))).toBe('5 min. ago');
});
