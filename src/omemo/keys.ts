import { concatBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { clamp, hasLowOrder, publicKeyOf, signXeddsa, verifyXeddsa } from './curve.ts';
import type { KeyPair, PreKey, SignedPreKey } from './store.ts';

/** The byte before a Curve25519 public key in everything OMEMO 0.3 writes. */
const KEY_TYPE = 0x05;
export const KEY_LENGTH = 33;
export const MAX_ID = 2 ** 31 - 1;

/** Ids of devices and prekeys; 0 would mean "none" to the library. */
export function isValidId(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= MAX_ID;
}

/** Follows `id`; starts again at 1 after the last. */
export function nextId(id: number): number {
  return id >= MAX_ID ? 1 : id + 1;
}

export function generateKeyPair(random: RandomBytes): KeyPair {
  const privateKey = clamp(random(32));
  return { publicKey: concatBytes(Uint8Array.of(KEY_TYPE), publicKeyOf(privateKey)), privateKey };
}

export function generateDeviceId(random: RandomBytes): number {
  const bytes = random(4);
  const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) & MAX_ID;
  return id === 0 ? MAX_ID : id;
}

export function generatePreKeys(firstId: number, count: number, random: RandomBytes): readonly PreKey[] {
  let id = firstId;
  return Array.from({ length: count }, () => {
    const preKey = { id, ...generateKeyPair(random), usedAtMs: null };
    id = nextId(id);
    return preKey;
  });
}

export function generateSignedPreKey(id: number, identity: KeyPair, nowMs: number, random: RandomBytes): SignedPreKey {
  const pair = generateKeyPair(random);
  return { id, ...pair, signature: signXeddsa(identity.privateKey, pair.publicKey, random), createdAtMs: nowMs };
}

/** Refuses with `forged` what is no usable public key. */
export function checkPublicKey(key: Uint8Array): void {
  if (key.length !== KEY_LENGTH || key[0] !== KEY_TYPE) throw new AppError('forged', 'malformed public key');
  if (hasLowOrder(key.subarray(1))) throw new AppError('forged', 'a public key has low order');
}

/** True when the owner of the 33-byte identity key signed `bytes`. Never throws. */
export function verifyWithIdentityKey(identityKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (identityKey.length !== KEY_LENGTH || identityKey[0] !== KEY_TYPE) return false;
  return verifyXeddsa(identityKey.subarray(1), bytes, signature);
}
