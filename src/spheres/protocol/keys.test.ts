import { ed25519 } from '@noble/curves/ed25519.js';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../test/fixtures/protocol/people.ts';
import { fromHex, toHex, toUtf8 } from '../../base/bytes.ts';
import {
  deriveKey,
  exportPkcs8,
  generateSigningKey,
  isSignedBy,
  publicKeyFromHex,
  signedBytes,
  signFor,
  signingKeyFromPkcs8,
  signingKeyFromSeed,
} from './keys.ts';

const bytes = toUtf8('what is signed');

test('keys and signatures are those of RFC 8032', () => {
  const seed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60') ?? new Uint8Array();
  const key = signingKeyFromSeed(seed);
  expect(key.id).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  expect(toHex(signFor('event', key, bytes))).toBe(toHex(ed25519.sign(signedBytes('event', bytes), seed)));
});

test('a key survives export and import', () => {
  const key = generateSigningKey(seededRandom('export'));
  const again = signingKeyFromPkcs8(exportPkcs8(key));
  expect(again.id).toBe(key.id);
  expect(isSignedBy('join', key.id, bytes, signFor('join', again, bytes))).toBe(true);
});

test('a signature of one kind is none of another kind, key or text', () => {
  const key = generateSigningKey(seededRandom('a'));
  const other = generateSigningKey(seededRandom('b'));
  const signature = signFor('event', key, bytes);
  expect(isSignedBy('event', key.id, bytes, signature)).toBe(true);
  expect(isSignedBy('ephemeral', key.id, bytes, signature)).toBe(false);
  expect(isSignedBy('event', other.id, bytes, signature)).toBe(false);
  expect(isSignedBy('event', key.id, toUtf8('something else'), signature)).toBe(false);
  expect(isSignedBy('event', key.id, bytes, signature.subarray(1))).toBe(false);
  expect(isSignedBy('event', 'no key', bytes, signature)).toBe(false);
});

test('what was found to be signed once makes nothing else signed, and is signed again', () => {
  const key = generateSigningKey(seededRandom('twice'));
  const signature = signFor('event', key, bytes);
  expect([1, 2].map(() => isSignedBy('event', key.id, bytes, signature))).toEqual([true, true]);
  const altered = Uint8Array.from(signature, (byte, index) => (index === 63 ? byte ^ 1 : byte));
  expect([1, 2].map(() => isSignedBy('event', key.id, bytes, altered))).toEqual([false, false]);
  // The same bytes divided in another way between signature and text.
  const joined = Uint8Array.of(...signature, ...bytes);
  expect(isSignedBy('event', key.id, joined.subarray(63), joined.subarray(0, 63))).toBe(false);
  expect(isSignedBy('event', key.id.slice(1), bytes, signature)).toBe(false);
  expect(isSignedBy('alive', key.id, bytes, signature)).toBe(false);
});

test('public keys of low order are refused, whatever their sign bit', () => {
  const points = ed25519.Point.BASE.constructor as typeof ed25519.Point;
  const torsion = points.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const multiples = Array.from({ length: 7 }, (_, index) => torsion.multiplyUnsafe(BigInt(index + 1)).toBytes());
  for (const encoded of [...multiples, points.ZERO.toBytes()]) {
    expect(() => publicKeyFromHex(toHex(encoded))).toThrow('low order');
    expect(isSignedBy('event', toHex(encoded), bytes, new Uint8Array(64))).toBe(false);
  }
});

test('derived keys are HKDF-SHA-256 and differ by label', () => {
  // RFC 5869 A.3: empty salt and info.
  const secret = new Uint8Array(22).fill(0x0b);
  const expected = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8';
  expect(toHex(deriveKey(secret, '', 42))).toBe(expected);
  expect(deriveKey(secret, 'one')).not.toEqual(deriveKey(secret, 'two'));
});

test('a malformed private key is refused', () => {
  expect(() => signingKeyFromPkcs8(new Uint8Array(48))).toThrow('cannot be read');
  expect(() => signingKeyFromSeed(new Uint8Array(31))).toThrow('32 bytes');
});
