import { expect, test } from 'vitest';
import { AppError } from '../../base/errors.ts';
import { webPageOf } from './web-page-of.ts';

test('the page of a server is one that was told for this, over TLS', () => {
  const url = 'https://a.test/join';
  expect(webPageOf(new AppError('registration-elsewhere', '', { url }))).toBe(url);
  expect(webPageOf(new AppError('registration-asks-more', '', { url: 'http://a.test/join' }))).toBeNull();
  expect(webPageOf(new AppError('registration-asks-more', ''))).toBeNull();
  expect(webPageOf(new AppError('server-unreachable', '', { url }))).toBeNull();
  expect(webPageOf(null)).toBeNull();
});
