import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { cipherKey, cipherRange, cipherStream, releaseOutput } from './cipher.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the cipher key is HKDF-SHA-256 of the media key under the label of this format', () => {
  const mediaKey = Uint8Array.from({ length: 32 }, (_, index) => index);
  const expected = hkdfSync('sha256', mediaKey, new Uint8Array(), 'spherecast-ctr-v1', 32);
  expect(hex(cipherKey(mediaKey))).toBe(hex(new Uint8Array(expected)));
  // A test vector: it must never change.
  expect(hex(cipherKey(mediaKey))).toBe('120f570d86f9b85a085efcdd1531dbac7987a108cf1041911bf0da078fd786a6');
  expect(hex(cipherRange(cipherKey(mediaKey), 0, new Uint8Array(32)))).toBe(
    '35c46e34b874250e6fbf33fa85ae5ebb981decafe45cab7b9f293ae4e9049b51',
  );
  expect(hex(cipherRange(cipherKey(mediaKey), 2 ** 40 + 5, new Uint8Array(16)))).toBe(
    '2d4b440e20906355d7c21aa5a818f57c',
  );
});

test('a media key of another length is refused', () => {
  expect(() => cipherKey(randomBytes(16))).toThrow(expect.objectContaining({ code: 'bad-input' }));
});

test('any range is the same part of the whole, in place or not', () => {
  const key = cipherKey(randomBytes(32));
  const plain = randomBytes(200_000);
  const whole = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(plain);
  fc.assert(
    fc.property(fc.nat(plain.length), fc.nat(plain.length), fc.boolean(), (a, b, inPlace) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const input = Uint8Array.from(plain.subarray(from, to));
      const output = inPlace ? cipherRange(key, from, input, input) : cipherRange(key, from, input);
      expect(Buffer.compare(output, whole.subarray(from, to))).toBe(0);
      expect(Buffer.compare(input, (inPlace ? whole : plain).subarray(from, to))).toBe(0);
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('decrypting is encrypting again, also at the far end of the largest torrent', () => {
  const key = cipherKey(randomBytes(32));
  for (const offset of [0, 1, 15, 16, 17, 2 ** 32 * 16 - 3, 2 ** 44 - 1]) {
    const plain = randomBytes(100);
    expect(hex(cipherRange(key, offset, cipherRange(key, offset, plain)))).toBe(hex(plain));
  }
});

test('the counter crosses 2^32 blocks without repeating', () => {
  const key = cipherKey(randomBytes(32));
  const far = cipherRange(key, 2 ** 32 * 16, new Uint8Array(64));
  expect(hex(far)).not.toBe(hex(cipherRange(key, 0, new Uint8Array(64))));
  const across = cipherRange(key, 2 ** 32 * 16 - 16, new Uint8Array(80));
  expect(hex(across.subarray(16))).toBe(hex(far));
});

test('an output buffer longer than the input keeps its rest', () => {
  const key = cipherKey(randomBytes(32));
  const into = new Uint8Array(20).fill(7);
  const output = cipherRange(key, 3, new Uint8Array(10), into);
  expect(output.length).toBe(10);
  expect(Array.from(into.subarray(10))).toEqual(Array(10).fill(7));
  expect(() => cipherRange(key, 0, new Uint8Array(21), into)).toThrow('shorter');
});

test('a place that no torrent has is refused', () => {
  for (const offset of [-1, 1.5, Number.NaN, 2 ** 53]) {
    expect(() => cipherStream(randomBytes(32), offset)).toThrow(expect.objectContaining({ code: 'bad-input' }));
  }
});

test('an output that is given back is gone, and what shares its memory with others stays', () => {
  const output = cipherStream(cipherKey(randomBytes(32)), 0).update(randomBytes(65_536));
  releaseOutput(output);
  expect(output.length).toBe(0);
  const part = new Uint8Array(32).subarray(16);
  releaseOutput(part);
  expect(part.length).toBe(16);
});
