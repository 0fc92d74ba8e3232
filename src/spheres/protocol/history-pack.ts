// RFC 1951: raw deflate · NIST SP 800-38D: AES-256-GCM
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { concatBytes, fromHex, toHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { InfoHash, SphereId } from '../../base/id.ts';
import { parseInfoHash } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import { decryptAead, encryptAead } from './aead.ts';
import { ByteReader, numberBytes } from './byte-reader.ts';
import type { EnvelopeEntry } from './envelope.ts';
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE_BYTES } from './envelope.ts';
import { deriveKey, KEY_BYTES } from './keys.ts';

/** What a device is told of the pack that is for it: where its bytes are, and the key to them. */
export interface PackTicket {
  readonly infoHash: InfoHash;
  /** Of the torrent's bytes, as the media key of an item, and of the chunks. */
  readonly key: Uint8Array;
  readonly metainfo: Uint8Array;
}

/** Beyond it nothing is fetched: what is left is asked for anew. Its metainfo fits into the message that tells of it. */
export const MAX_PACK_BYTES = 256 * 1024 * 1024;
/** With encryption, and what deflate may add to what does not pack. */
export const MAX_CHUNK_BYTES = MAX_ENVELOPE_BYTES + 64 * 1024;
/** Of the length in front of each chunk. */
export const CHUNK_HEAD_BYTES = 4;
const TICKET_VERSION = 1;
const INFO_HASH_BYTES = 20;
const LABEL = 'spherecast-history-v1';
const LAST = 1;

export function encodeTicket({ infoHash, key, metainfo }: PackTicket): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(TICKET_VERSION), fromHex(infoHash) ?? new Uint8Array(), key, metainfo);
}

/** What its metainfo says is not looked at. */
export function decodeTicket(bytes: Uint8Array): PackTicket {
  const reader = new ByteReader(bytes);
  const version = reader.number(1);
  if (version !== TICKET_VERSION) throw new AppError('bad-input', 'a history pack of another version', { version });
  const infoHash = parseInfoHash(toHex(reader.take(INFO_HASH_BYTES)));
  return { infoHash, key: reader.take(KEY_BYTES), metainfo: reader.take(reader.remaining) };
}

/** Seals and opens the chunks of one pack, whose place in it is part of the seal. */
export class PackChunks {
  readonly #key: Uint8Array;
  readonly #sphereId: SphereId;

  constructor(pack: { readonly key: Uint8Array; readonly sphereId: SphereId }) {
    this.#key = deriveKey(pack.key, LABEL);
    this.#sphereId = pack.sphereId;
  }

  /** With its length in front. */
  seal(
    place: { readonly index: number; readonly isLast: boolean },
    entries: readonly EnvelopeEntry[],
    random: RandomBytes,
  ): Uint8Array<ArrayBuffer> {
    const plain = concatBytes(Uint8Array.of(place.isLast ? LAST : 0), deflateRawSync(encodeEnvelope(entries)));
    const sealed = encryptAead({ key: this.#key, context: this.#context(place.index), random }, plain);
    return concatBytes(numberBytes(sealed.length, CHUNK_HEAD_BYTES), sealed);
  }

  /** Fails with `forged`, `bad-input` or `too-large` when it is not what was packed at this place. */
  open(index: number, sealed: Uint8Array): { readonly isLast: boolean; readonly entries: readonly EnvelopeEntry[] } {
    const plain = decryptAead({ key: this.#key, context: this.#context(index) }, sealed);
    return { isLast: plain[0] === LAST, entries: decodeEnvelope(unpack(plain.subarray(1))) };
  }

  #context(index: number): Uint8Array {
    return concatBytes(toUtf8(`${LABEL}\0`), fromHex(this.#sphereId) ?? new Uint8Array(), numberBytes(index, 4));
  }
}

function unpack(packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: MAX_ENVELOPE_BYTES });
  } catch (error) {
    const code = error instanceof RangeError ? 'too-large' : 'bad-input';
    throw new AppError(code, 'a chunk cannot be unpacked', {}, error);
  }
}
