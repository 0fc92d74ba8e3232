import { expect, test } from 'vitest';
import { fromUtf8, toUtf8 } from './bytes.ts';

test('text that begins with a byte order mark comes out as it went in', () => {
  const text = '\uFEFFpasted from a file';
  expect(fromUtf8(toUtf8(text))).toBe(text);
});

test('bytes that are not UTF-8 are no text', () => {
  expect(fromUtf8(Uint8Array.of(0xc3, 0x28))).toBeUndefined();
});
