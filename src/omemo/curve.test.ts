import { createPrivateKey, createPublicKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { x25519 } from '@noble/curves/ed25519.js';
import { expect, test } from 'vitest';
import { equalBytes, fromHex } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import { agree, clamp, hasLowOrder, publicKeyOf, signXeddsa, verifyXeddsa } from './curve.ts';
import { checkPublicKey } from './keys.ts';
import { LOW_ORDER_POINTS } from '../../test/fixtures/omemo-devices.ts';

const message = Uint8Array.of(1, 2, 3);

test('agreement gives both sides the secret that an independent implementation gives', () => {
  const ana = clamp(systemRandom(32));
  const ben = clamp(systemRandom(32));
  const secret = agree(publicKeyOf(ben), ana);
  expect(secret).toEqual(agree(publicKeyOf(ana), ben));
  expect(Array.from(secret)).toEqual(Array.from(x25519.getSharedSecret(ana, publicKeyOf(ben))));
});

test('public keys equal those of OpenSSL', () => {
  const privateKey = clamp(systemRandom(32));
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), privateKey]);
  const expected = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  expect(expected.export({ format: 'der', type: 'spki' }).subarray(-32)).toEqual(Buffer.from(publicKeyOf(privateKey)));
});

test.each(LOW_ORDER_POINTS)('the low-order point %s is refused everywhere', (hex) => {
  const point = fromHex(hex) ?? new Uint8Array();
  expect(hasLowOrder(point)).toBe(true);
  expect(() => agree(point, systemRandom(32))).toThrow(expect.objectContaining({ code: 'forged' }));
  expect(() => checkPublicKey(Uint8Array.of(5, ...point))).toThrow(expect.objectContaining({ code: 'forged' }));
  expect(verifyXeddsa(point, message, new Uint8Array(64))).toBe(false);
});

test('every other way to write a point of low order is refused as well, and no key that agrees', () => {
  const field = 2n ** 255n - 19n;
  const known = LOW_ORDER_POINTS.map((hex) => BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`));
  const coordinates = new Set(known.map((value) => (value % 2n ** 255n) % field));
  expect(coordinates.size).toBe(5);
  const written = [...coordinates].flatMap((u) => [u, u + field, u + 2n ** 255n, u + field + 2n ** 255n]);
  for (const value of written.filter((number) => number < 2n ** 256n)) {
    const point = Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
    expect(hasLowOrder(point)).toBe(agreesWithNobody(point));
  }
  for (let round = 0; round < 50; round += 1) {
    const key = systemRandom(32);
    expect(hasLowOrder(key)).toBe(agreesWithNobody(key));
  }
});

function agreesWithNobody(point: Uint8Array): boolean {
  try {
    agree(point, clamp(systemRandom(32)));
    return false;
  } catch {
    return true;
  }
}

test('a signature holds for its key and message only', () => {
  for (let round = 0; round < 20; round += 1) {
    const privateKey = clamp(systemRandom(32));
    const publicKey = publicKeyOf(privateKey);
    const signature = signXeddsa(privateKey, message, systemRandom);
    expect(verifyXeddsa(publicKey, message, signature)).toBe(true);
    expect(verifyXeddsa(publicKey, Uint8Array.of(1, 2, 4), signature)).toBe(false);
    expect(verifyXeddsa(publicKeyOf(systemRandom(32)), message, signature)).toBe(false);
    for (const index of [0, 31, 32, 63]) {
      const altered = signature.slice();
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(verifyXeddsa(publicKey, message, altered)).toBe(false);
    }
  }
});

test('signatures are understood by the curve that other clients of the library use, and the other way round', async () => {
  const require = createRequire(createRequire(import.meta.url).resolve('libsignal-protocol-typescript'));
  const { AsyncCurve25519Wrapper } = require('curve25519-ts') as {
    AsyncCurve25519Wrapper: new () => {
      sign(key: ArrayBuffer, message: ArrayBuffer): Promise<ArrayBuffer>;
      verify(key: ArrayBuffer, message: ArrayBuffer, signature: ArrayBuffer): Promise<boolean>;
    };
  };
  const theirs = new AsyncCurve25519Wrapper();
  for (let round = 0; round < 10; round += 1) {
    const privateKey = clamp(systemRandom(32));
    const publicKey = publicKeyOf(privateKey);
    const signed = await theirs.sign(privateKey.buffer, message.buffer);
    expect(verifyXeddsa(publicKey, message, new Uint8Array(signed))).toBe(true);
    // Their convention: true means invalid.
    const ours = signXeddsa(privateKey, message, systemRandom);
    expect(await theirs.verify(Uint8Array.from(publicKey).buffer, message.buffer, ours.buffer)).toBe(false);
  }
});

test('keys and signatures of the wrong length or form are refused without an exception', () => {
  const privateKey = clamp(systemRandom(32));
  const signature = signXeddsa(privateKey, message, systemRandom);
  expect(verifyXeddsa(new Uint8Array(31), message, signature)).toBe(false);
  expect(verifyXeddsa(publicKeyOf(privateKey), message, signature.subarray(1))).toBe(false);
  expect(verifyXeddsa(new Uint8Array(32).fill(0xff), message, signature)).toBe(false);
  expect(equalBytes(signature, signXeddsa(privateKey, message, systemRandom))).toBe(false);
});
