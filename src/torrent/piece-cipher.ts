import { createCipheriv } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { CipherStream } from './cipher.ts';
import { BLOCK, cipherRange, cipherStream } from './cipher.ts';
import { CounterGcm } from './counter-gcm.ts';

/** The key stream over one piece. */
export interface PieceCipher extends CipherStream {
  /** After the last `update`: 16 bytes that tell this output from any other, or none where that cannot be had. */
  tag(): Uint8Array;
}

/** A key costs half a millisecond to prepare; a folder's items are read in turns. */
const KEPT_KEYS = 64;
/** GCM's counter has 32 bits of its own: at these places of a torrent it would begin anew. Pieces end there. */
const SPAN_BYTES = 2 ** 32 * BLOCK;
const NO_TAG = new Uint8Array();
const keys = new RecentMap<string, CounterGcm>(KEPT_KEYS);

/** Enciphers the piece that begins at `offset` of the torrent's byte space, or deciphers it, as `cipherStream` does. */
export function pieceCipher(key: Uint8Array, { offset, length }: { offset: number; length: number }): PieceCipher {
  if (!hasCounterGcm()) {
    const stream = cipherStream(key, offset);
    return { update: (bytes) => stream.update(bytes), tag: () => NO_TAG };
  }
  return gcm(key, offset, length);
}

/** A tag over what is not enciphered, under a key of this process. */
export function plainTag(key: Uint8Array): { update(bytes: Uint8Array): void; tag(): Uint8Array } {
  const mac = createCipheriv('aes-256-gcm', key, new Uint8Array(BLOCK));
  const tag = (): Uint8Array => {
    mac.final();
    return mac.getAuthTag();
  };
  return { update: (bytes) => void mac.setAAD(bytes), tag };
}

function gcm(key: Uint8Array, offset: number, length: number): PieceCipher {
  if (offset % BLOCK !== 0 || (offset % SPAN_BYTES) + length > SPAN_BYTES) {
    throw new AppError('bad-input', 'no piece lies there', { offset, length });
  }
  const cipher = createCipheriv('aes-256-gcm', key, counters(key).iv(offset / BLOCK));
  const tag = (): Uint8Array => {
    cipher.final();
    return cipher.getAuthTag();
  };
  return { update: (bytes) => cipher.update(bytes), tag };
}

function counters(key: Uint8Array): CounterGcm {
  const name = toHex(key);
  const known = keys.get(name) ?? new CounterGcm(key);
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
    return Buffer.compare(gcm(key, offset, plain.length).update(plain), cipherRange(key, offset, plain)) === 0;
  } catch {
    return false;
  }
}
