import { expect, test } from 'vitest';
import { bytesInUse } from '../../test/fixtures/memory-growth.ts';
import { fromHex, fromUtf8, toHex, toUtf8 } from './bytes.ts';

test('text that begins with a byte order mark comes out as it went in', () => {
  const text = '\uFEFFpasted from a file';
  expect(fromUtf8(toUtf8(text))).toBe(text);
});

test('bytes that are not UTF-8 are no text', () => {
  expect(fromUtf8(Uint8Array.of(0xc3, 0x28))).toBeUndefined();
});

test('bytes come back from their hex digits', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  expect(toHex(bytes).slice(0, 40)).toBe('000102030405060708090a0b0c0d0e0f10111213');
  expect(fromHex(toHex(bytes))).toEqual(bytes);
});

test('digests in hex take the memory of their digits', () => {
  const before = bytesInUse();
  const digests = Array.from({ length: 20_000 }, (_, piece) => toHex(new Uint8Array(20).fill(piece)));
  expect((bytesInUse() - before) / digests.length).toBeLessThan(150);
  expect(digests).toHaveLength(20_000);
});
