import { createHash, createPrivateKey, createPublicKey, diffieHellman, verify } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { concatBytes, equalBytes, fromHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';

const FIELD = 2n ** 255n - 19n;
/** The points of order 8 or less, on the curve and on its twist: RFC 7748 §6.1 has every agreement give zero for them. */
const LOW_ORDER = new Set([
  ...[0n, 1n, FIELD - 1n],
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
// RFC 8410 §7 and §4: what stands before the 32 raw bytes in DER.
const PRIVATE_DER = bytesOf('302e020100300506032b656e04220420');
const PUBLIC_DER = bytesOf('302a300506032b656e032100');
const EDWARDS_DER = bytesOf('302a300506032b6570032100');
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));
// XEdDSA §2.1, hash_1: 2^256 - 2 in little-endian.
const HASH_1 = Uint8Array.of(0xfe, ...new Uint8Array(31).fill(0xff));

type Agreement = (publicKey: Uint8Array, privateKey: Uint8Array) => Uint8Array;

/** Any valid pair will do, and its secret: for trying an implementation. */
const PROBE = {
  privateKey: new Uint8Array(32).fill(0x48),
  // RFC 7748 §6.1, Bob's public key.
  publicKey: bytesOf('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
  secret: bytesOf('638c28daf6081bb564aa952c527714dbf6b153348e32a8779dda946abb5c4a3e'),
};

const agreement: Agreement = pickAgreement();

/**
 * X25519 shared secret of two raw 32-byte keys. Low-order public keys are refused with `forged`:
 * with them anyone knows the "secret".
 */
export function agree(publicKey: Uint8Array, privateKey: Uint8Array): Uint8Array {
  let secret: Uint8Array;
  try {
    secret = agreement(publicKey, privateKey);
  } catch (error) {
    throw new AppError('forged', 'a public key cannot be used', { length: publicKey.length }, error);
  }
  // RFC 7748 §6.1: all-zero output means a point of small order.
  if (secret.every((byte) => byte === 0)) throw new AppError('forged', 'a public key has low order');
  return secret;
}

/** The raw 32-byte public key of a raw private key. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return agree(BASE_POINT, privateKey);
}

/** RFC 7748 §5: the private key as it is used. */
export function clamp(privateKey: Uint8Array): Uint8Array<ArrayBuffer> {
  const clamped = Uint8Array.from(privateKey);
  clamped[0] = (clamped[0] ?? 0) & 248;
  clamped[31] = ((clamped[31] ?? 0) & 127) | 64;
  return clamped;
}

/** XEdDSA §2.2 in the form of OMEMO 0.3: the sign of the Edwards key travels in the signature's top bit. */
export function signXeddsa(privateKey: Uint8Array, message: Uint8Array, random: RandomBytes): Uint8Array<ArrayBuffer> {
  const scalar = modulo(fromLittleEndian(clamp(privateKey)), ORDER);
  const edwardsKey = ed25519.Point.BASE.multiply(scalar).toBytes();
  const nonce = modulo(fromLittleEndian(sha512(HASH_1, privateKey, message, random(64))), ORDER);
  const commitment = ed25519.Point.BASE.multiply(nonce).toBytes();
  const challenge = modulo(fromLittleEndian(sha512(commitment, edwardsKey, message)), ORDER);
  const response = toLittleEndian(modulo(nonce + challenge * scalar, ORDER));
  response[31] = ((response[31] ?? 0) & 0x7f) | ((edwardsKey[31] ?? 0) & 0x80);
  return concatBytes(commitment, response);
}

/** True when the holder of the raw X25519 key signed the message. Never throws. */
export function verifyXeddsa(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64 || hasLowOrder(publicKey)) return false;
  const u = coordinateOf(publicKey);
  // u = -1 has no point on the Edwards curve.
  if (modulo(u + 1n, FIELD) === 0n) return false;
  const edwardsKey = toLittleEndian(modulo((u - 1n) * ed25519.Point.Fp.inv(u + 1n), FIELD));
  const plain = Uint8Array.from(signature);
  edwardsKey[31] = (edwardsKey[31] ?? 0) | ((plain[63] ?? 0) & 0x80);
  plain[63] = (plain[63] ?? 0) & 0x7f;
  try {
    // From here on it is an Ed25519 signature (XEdDSA §2.2), and OpenSSL is ten times faster than JavaScript.
    const key = createPublicKey({ key: der(EDWARDS_DER, edwardsKey), format: 'der', type: 'spki' });
    return verify(null, message, key, plain);
  } catch {
    // A key that is no point at all is simply not one that signed.
    return false;
  }
}

/** True for the public keys with which every agreement gives zero, and for what is no key. */
export function hasLowOrder(publicKey: Uint8Array): boolean {
  return publicKey.length !== 32 || LOW_ORDER.has(coordinateOf(publicKey));
}

/** RFC 7748 §5: the highest bit does not count, and what is beyond the field begins anew. */
function coordinateOf(publicKey: Uint8Array): bigint {
  return modulo(fromLittleEndian(publicKey) % 2n ** 255n, FIELD);
}

/** OpenSSL's X25519 is 20 times faster than one in JavaScript, but not every runtime's crypto offers it. */
function pickAgreement(): Agreement {
  const native: Agreement = (publicKey, privateKey) =>
    diffieHellman({
      privateKey: createPrivateKey({ key: der(PRIVATE_DER, clamp(privateKey)), format: 'der', type: 'pkcs8' }),
      publicKey: createPublicKey({ key: der(PUBLIC_DER, publicKey), format: 'der', type: 'spki' }),
    });
  const portable: Agreement = (publicKey, privateKey) => x25519.getSharedSecret(clamp(privateKey), publicKey);
  try {
    if (equalBytes(native(PROBE.publicKey, PROBE.privateKey), PROBE.secret)) return native;
  } catch {
    // This runtime's crypto has no X25519: the portable one gives the same answers, slower.
  }
  return portable;
}

function der(prefix: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.concat([prefix, key]);
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function modulo(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus;
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function toLittleEndian(value: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32);
  for (let index = 0, rest = value; index < 32; index += 1, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
  return bytes;
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return fromHex(hex) ?? new Uint8Array();
}
