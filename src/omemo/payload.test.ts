import { createCipheriv } from 'node:crypto';
import { expect, test } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import { openPayload, sealPayload } from './payload.ts';

const forged: unknown = expect.objectContaining({ code: 'forged' });

test('text comes back with the key it was sealed under', () => {
  const { inner, iv, payload, messageKey } = sealPayload('été 🎬', systemRandom);
  expect(openPayload(inner, iv, payload)).toEqual({ messageKey, text: 'été 🎬' });
  expect([messageKey.length, inner.length, iv.length]).toEqual([16, 32, 12]);
});

test('a payload whose tag is not beside the key is refused, even when a tag stands behind the payload', () => {
  const { inner, iv, payload } = sealPayload('text', systemRandom);
  const withTag = concatBytes(payload ?? new Uint8Array(), inner.subarray(16));
  expect(() => openPayload(inner.subarray(0, 16), iv, withTag)).toThrow(forged);
  expect(() => openPayload(inner.subarray(0, 31), iv, payload)).toThrow(forged);
  expect(() => openPayload(concatBytes(inner, Uint8Array.of(0)), iv, payload)).toThrow(forged);
});

test('a message that only carries a key may come with or without tag, but with nothing else', () => {
  const { inner, iv, messageKey } = sealPayload(null, systemRandom);
  expect(openPayload(inner, iv, null)).toEqual({ messageKey, text: null });
  expect(openPayload(inner.subarray(0, 16), iv, null)).toEqual({ messageKey, text: null });
  expect(() => openPayload(inner.subarray(0, 15), iv, null)).toThrow(forged);
  expect(() => openPayload(new Uint8Array(), iv, null)).toThrow(forged);
});

test('altered payload, tag, key or iv are refused', () => {
  const { inner, iv, payload } = sealPayload('text', systemRandom);
  const bytes = payload ?? new Uint8Array();
  expect(() => openPayload(inner, iv, bytes.with(0, (bytes[0] ?? 0) ^ 1))).toThrow(forged);
  expect(() => openPayload(inner.with(31, (inner[31] ?? 0) ^ 1), iv, bytes)).toThrow(forged);
  expect(() => openPayload(inner.with(0, (inner[0] ?? 0) ^ 1), iv, bytes)).toThrow(forged);
  expect(() => openPayload(inner, iv.with(0, (iv[0] ?? 0) ^ 1), bytes)).toThrow(forged);
  expect(() => openPayload(inner, iv.slice(0, 8), bytes)).toThrow(forged);
});

test('what is not text is refused', () => {
  const { messageKey, iv } = sealPayload('', systemRandom);
  const cipher = createCipheriv('aes-128-gcm', messageKey, iv);
  const payload = concatBytes(cipher.update(Uint8Array.of(0xff, 0xfe)), cipher.final());
  const inner = concatBytes(messageKey, cipher.getAuthTag());
  expect(() => openPayload(inner, iv, payload)).toThrow(expect.objectContaining({ code: 'cannot-decrypt' }));
});
