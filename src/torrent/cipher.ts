import { createCipheriv, hkdfSync } from 'node:crypto';
import { AppError } from '../base/errors.ts';

const MEDIA_KEY_BYTES = 32;
export const BLOCK = 16;
const LABEL = 'spherecast-ctr-v1';
/** Small steps stay in the processor's cache; one cipher over all of them saves the key schedule. */
const STEP = 64 * 1024;
const ZEROS = new Uint8Array(BLOCK);

/** The AES-256 key of an item version: HKDF-SHA-256 of its media key, empty salt. */
export function cipherKey(mediaKey: Uint8Array): Uint8Array<ArrayBuffer> {
  if (mediaKey.length !== MEDIA_KEY_BYTES) {
    throw new AppError('bad-input', 'a media key has 32 bytes', { bytes: mediaKey.length });
  }
  return new Uint8Array(hkdfSync('sha256', mediaKey, '', LABEL, 32));
}

/** A key stream that begins at byte `offset` of the torrent; each call goes on where the last one ended. */
export interface CipherStream {
  update(bytes: Uint8Array): Uint8Array;
}

/**
 * Gives the memory of an output back before the collector would: Node.js cannot encrypt into a given buffer, and a
 * block that is used again at once is still in the processor's cache. Halves what encryption costs.
 */
export function releaseOutput({ buffer, byteLength }: Uint8Array): void {
  // Never memory that others have a part of.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

export function cipherStream(key: Uint8Array, offset: number): CipherStream {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new AppError('bad-input', 'impossible offset', { offset });
  const cipher = createCipheriv('aes-256-ctr', key, counterBlock(Math.floor(offset / BLOCK)));
  const skip = offset % BLOCK;
  if (skip > 0) cipher.update(ZEROS.subarray(0, skip));
  return cipher;
}

/** The initial value is 0, so the counter is the block number as 128 bits, big-endian. */
function counterBlock(block: number): Uint8Array {
  const counter = new Uint8Array(BLOCK);
  new DataView(counter.buffer).setBigUint64(8, BigInt(block));
  return counter;
}

/**
 * Encrypts or decrypts (the same operation) the bytes that stand at `offset` of the torrent's byte space.
 * The result goes into `into` (which may be `bytes` itself) or a new array.
 */
export function cipherRange(
  key: Uint8Array,
  offset: number,
  bytes: Uint8Array,
  into: Uint8Array = new Uint8Array(bytes.length),
): Uint8Array {
  if (into.length < bytes.length) throw new AppError('bad-input', 'the output is shorter than the input');
  const stream = cipherStream(key, offset);
  for (let at = 0; at < bytes.length; at += STEP) {
    const part = stream.update(bytes.subarray(at, at + STEP));
    into.set(part, at);
    releaseOutput(part);
  }
  return into.length === bytes.length ? into : into.subarray(0, bytes.length);
}
