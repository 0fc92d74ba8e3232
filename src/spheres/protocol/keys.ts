// RFC 8032: Ed25519 · RFC 5869: HKDF with SHA-256
import type { KeyObject } from 'node:crypto';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash,
  hkdfSync,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { concatBytes, fromHex, toHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey, PersonId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';

/** An Ed25519 key pair; `id` is the raw public key, 64 hex digits. */
export interface SigningKey<Name extends string = string> {
  readonly id: Name;
  readonly privateKey: KeyObject;
}

export type PersonSigningKey = SigningKey<PersonId>;
export type DeviceSigningKey = SigningKey<DeviceKey>;

/** What a signature is for: no signature of one kind can be shown as another. */
export const SIGNATURE_DOMAINS = {
  event: 'spherecast-event-v1\0',
  person: 'spherecast-person-v1\0',
  join: 'spherecast-join-v1\0',
  decline: 'spherecast-decline-v1\0',
  ephemeral: 'spherecast-ephemeral-v1\0',
  run: 'spherecast-run-v1\0',
  alive: 'spherecast-alive-v1\0',
  /** Signed by the OMEMO identity key (XEdDSA), never by a key of ours. */
  identity: 'spherecast-device-v1\0',
} as const;

export type SignatureDomain = keyof typeof SIGNATURE_DOMAINS;

export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

// RFC 8410 §7 and §4: the DER in front of a raw private seed and of a raw public key.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

// Points whose order divides 8, sign bit cleared: under them a signature binds to no message.
const LOW_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** A new key from 32 random bytes. */
export function generateSigningKey<Name extends string>(random: RandomBytes): SigningKey<Name> {
  return signingKeyFromSeed(random(KEY_BYTES));
}

export function signingKeyFromSeed<Name extends string>(seed: Uint8Array): SigningKey<Name> {
  if (seed.length !== KEY_BYTES)
    throw new AppError('bad-input', 'a signing key is made of 32 bytes', { length: seed.length });
  return signingKeyFromPkcs8(concatBytes(PKCS8_PREFIX, seed));
}

/** Reads what `exportPkcs8` wrote. */
export function signingKeyFromPkcs8<Name extends string>(der: Uint8Array): SigningKey<Name> {
  try {
    const privateKey = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new AppError('bad-input', 'not an Ed25519 key');
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    return { id: toHex(spki.subarray(SPKI_PREFIX.length)) as Name, privateKey };
  } catch (error) {
    throw new AppError('bad-input', 'the private key cannot be read', {}, error);
  }
}

export function exportPkcs8(key: SigningKey): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.privateKey.export({ format: 'der', type: 'pkcs8' }));
}

/** The key object of a raw public key in hex; `bad-input` when it is none or of low order. */
export function publicKeyFromHex(id: string): KeyObject {
  const raw = fromHex(id);
  if (raw === undefined || raw.length !== KEY_BYTES) throw new AppError('bad-input', 'not a public key');
  const masked = Uint8Array.from(raw, (byte, index) => (index === KEY_BYTES - 1 ? byte & 0x7f : byte));
  if (LOW_ORDER.has(toHex(masked))) throw new AppError('forged', 'a public key of low order binds nobody');
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

/** 64 bytes. */
export function signFor(domain: SignatureDomain, key: SigningKey, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sign(null, signedBytes(domain, bytes), key.privateKey));
}

/** Whether the holder of the key signed these bytes for this; what was found true lately is not worked out again. */
export function isSignedBy(domain: SignatureDomain, id: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const signed = signedBytes(domain, bytes);
  const mark = `${id} ${hash('sha256', concatBytes(signature, signed), 'base64')}`;
  if (foundTrue.has(mark)) return true;
  try {
    if (!verify(null, signed, knownPublicKey(id), signature)) return false;
  } catch {
    // A key that is no key has signed nothing.
    return false;
  }
  if (foundTrue.size >= MAX_FOUND_TRUE) foundTrue.clear();
  foundTrue.add(mark);
  return true;
}

/** An event comes live, from the archive and from members who answer; its hash takes a tenth of checking its signature. */
const MAX_FOUND_TRUE = 4096;
/** The key with the SHA-256 of signature and what was signed. Nothing false is kept: what is made up takes no room. */
const foundTrue = new Set<string>();

/** Reading a key takes as long as a third of checking a signature, and a few devices sign nearly everything. */
const MAX_KNOWN_KEYS = 256;
const knownKeys = new Map<string, KeyObject>();

function knownPublicKey(id: string): KeyObject {
  const known = knownKeys.get(id);
  if (known !== undefined) return known;
  const key = publicKeyFromHex(id);
  if (knownKeys.size >= MAX_KNOWN_KEYS) knownKeys.clear();
  knownKeys.set(id, key);
  return key;
}

/** The bytes a signature of this kind covers. */
export function signedBytes(domain: SignatureDomain, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(toUtf8(SIGNATURE_DOMAINS[domain]), bytes);
}

/** HKDF-SHA-256 with empty salt; the label is the `info`. Keys differ when labels differ. */
export function deriveKey(secret: Uint8Array, label: string, length: number = KEY_BYTES): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', createSecretKey(secret), new Uint8Array(0), toUtf8(label), length));
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function sha256Hex(...parts: readonly Uint8Array[]): string {
  return toHex(sha256(...parts));
}

/** Comparison for secrets: takes the same time wherever the first difference is. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
