import type { CipherGCM, DecipherGCM, KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { CipherStream } from './cipher.ts';
import { BLOCK, cipherRange, cipherStream } from './cipher.ts';
import { CounterGcm } from './counter-gcm.ts';

/** Where a piece lies in its torrent's byte space; both in bytes. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** The key stream over one piece. */
export interface PieceCipher extends CipherStream {
  /** After the last `update`: 16 bytes that tell this output from any other, or none where that cannot be had. */
  tag(): Uint8Array;
}

/** The key stream over a piece of which it is known what it should be. */
export interface KnownPieceCipher extends CipherStream {
  /** After the last `update`: whether it was that piece. */
  isRight(): boolean;
}

/** A key costs half a millisecond to prepare; a folder's items are read in turns. */
const KEPT_KEYS = 64;
/** GCM's counter has 32 bits of its own: at these places of a torrent it would begin anew. Pieces end there. */
const SPAN_BYTES = 2 ** 32 * BLOCK;
const NO_TAG = new Uint8Array();
const keys = new RecentMap<string, PreparedKey>(KEPT_KEYS);

interface PreparedKey {
  /** Bytes in its place make Node.js throw and catch an error for each cipher, which costs as much as a tenth of a piece's GCM. */
  readonly secret: KeyObject;
  readonly counters: CounterGcm;
}

/** Enciphers the piece that begins at `offset` of the torrent's byte space, or deciphers it, as `cipherStream` does. */
export function pieceCipher(key: Uint8Array, place: Place): PieceCipher {
  if (!hasCounterGcm()) {
    const stream = cipherStream(key, place.offset);
    return { update: (bytes) => stream.update(bytes), tag: () => NO_TAG };
  }
  const cipher = gcm(key, place);
  const tag = (): Uint8Array => {
    cipher.final();
    return cipher.getAuthTag();
  };
  return { update: (bytes) => cipher.update(bytes), tag };
}

/**
 * Enciphers a piece whose plain bytes had a tag when they were deciphered by `pieceCipher`; null where there are no tags.
 * GCM's deciphering is the same key stream, with a tag over its input.
 */
export function knownPieceCipher(key: Uint8Array, place: Place, tag: Uint8Array): KnownPieceCipher | null {
  if (!hasCounterGcm()) return null;
  const cipher = createDecipheriv('aes-256-gcm', ...keyAndIv(key, place)).setAuthTag(tag);
  return { update: (bytes) => cipher.update(bytes), isRight: () => ends(cipher) };
}

function ends(cipher: DecipherGCM): boolean {
  try {
    cipher.final();
    return true;
  } catch {
    // Node.js has no other way to say that the tag is another one.
    return false;
  }
}

/** For what is not enciphered: the bytes stay, and their tag is made under a key of this process. */
export function plainTag(key: Uint8Array): PieceCipher {
  const mac = createCipheriv('aes-256-gcm', prepared(key).secret, new Uint8Array(BLOCK));
  const update = (bytes: Uint8Array): Uint8Array => {
    mac.setAAD(bytes);
    return bytes;
  };
  const tag = (): Uint8Array => {
    mac.final();
    return mac.getAuthTag();
  };
  return { update, tag };
}

function gcm(key: Uint8Array, place: Place): CipherGCM {
  return createCipheriv('aes-256-gcm', ...keyAndIv(key, place));
}

function keyAndIv(key: Uint8Array, { offset, length }: Place): [KeyObject, Uint8Array] {
  if (offset % BLOCK !== 0 || (offset % SPAN_BYTES) + length > SPAN_BYTES) {
    throw new AppError('bad-input', 'no piece lies there', { offset, length });
  }
  const { secret, counters } = prepared(key);
  return [secret, counters.iv(offset / BLOCK)];
}

function prepared(key: Uint8Array): PreparedKey {
  const name = toHex(key);
  const known = keys.get(name) ?? { secret: createSecretKey(key), counters: new CounterGcm(key) };
  keys.set(name, known);
  return known;
}

let isRight: boolean | null = null;

/** Whether the crypto library of this process takes our IVs and gives the same as counter mode: looked at once. */
function hasCounterGcm(): boolean {
  isRight ??= [0, BLOCK, 2 ** 30, SPAN_BYTES, 3 * SPAN_BYTES + 2 ** 20].every(agrees);
  return isRight;
}

function agrees(offset: number): boolean {
  const [key, plain] = [new Uint8Array(32).fill(7), new Uint8Array(100).fill(1)];
  try {
    return (
      Buffer.compare(gcm(key, { offset, length: plain.length }).update(plain), cipherRange(key, offset, plain)) === 0
    );
  } catch {
    return false;
  }
}
