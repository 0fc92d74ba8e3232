import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { cipherRange } from './cipher.ts';
import { pieceCipher, plainTag } from './piece-cipher.ts';

const SPAN = 2 ** 36;

test('a piece anywhere in a torrent is enciphered as counter mode does it', () => {
  const key = new Uint8Array(randomBytes(32));
  const place = fc.oneof(
    fc.nat(2 ** 20),
    fc.nat(2 ** 31 - 1),
    fc.tuple(fc.nat(100), fc.nat(64)).map(([span, blocks]) => span * (SPAN / 16) + blocks),
    fc.integer({ min: 2 ** 49 - 2000, max: 2 ** 49 - 70 }),
  );
  fc.assert(
    fc.property(place, fc.uint8Array({ minLength: 1, maxLength: 1000 }), fc.nat(1000), (block, plain, cut) => {
      const cipher = pieceCipher(key, { offset: block * 16, length: plain.length });
      const parts = [plain.subarray(0, cut), plain.subarray(cut)].map((part) => cipher.update(part));
      expect(Buffer.concat(parts).equals(cipherRange(key, block * 16, plain))).toBe(true);
      expect(cipher.tag().length).toBe(16);
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

test('any key gives the key stream of counter mode', () => {
  for (let round = 0; round < 30; round += 1) {
    const [key, plain] = [new Uint8Array(randomBytes(32)), randomBytes(100)];
    const sealed = pieceCipher(key, { offset: 2 ** 20, length: 100 }).update(plain);
    expect(Buffer.compare(sealed, cipherRange(key, 2 ** 20, plain))).toBe(0);
  }
});

test('a place where no piece lies is refused, because the counter would begin anew in it', () => {
  const key = new Uint8Array(32);
  for (const offset of [1, 8, SPAN - 16, 3 * SPAN - 16]) {
    expect(() => pieceCipher(key, { offset, length: 17 })).toThrow(expect.objectContaining({ code: 'bad-input' }));
  }
  const last = pieceCipher(key, { offset: SPAN - 16, length: 16 }).update(new Uint8Array(16));
  expect(Buffer.compare(last, cipherRange(key, SPAN - 16, new Uint8Array(16)))).toBe(0);
});

test('the tag of plain bytes tells them from others, however they were cut', () => {
  const tagOf = (...parts: Uint8Array[]): string => {
    const mac = plainTag(new Uint8Array(32).fill(1));
    for (const part of parts) mac.update(part);
    return Buffer.from(mac.tag()).toString('hex');
  };
  const bytes = randomBytes(1000);
  expect(tagOf(bytes.subarray(0, 160), bytes.subarray(160))).toBe(tagOf(bytes));
  expect(tagOf(bytes.subarray(1))).not.toBe(tagOf(bytes));
});
