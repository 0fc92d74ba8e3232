// RFC 1951: raw deflate · RFC 5869: HKDF · NIST SP 800-38D: AES-256-GCM
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { concatBytes, fromHex, toHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { SphereId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import { AEAD_OVERHEAD, decryptAead, encryptAead } from './aead.ts';
import { ByteReader, numberBytes } from './byte-reader.ts';
import { deriveKey, KEY_BYTES } from './keys.ts';

/** Of one sphere, or a part of it: an envelope of events that show who is in it, and of the keys of its epochs. */
export interface VaultPart {
  readonly sphereId: SphereId;
  readonly envelope: Uint8Array;
}

/** What brings a person's spheres back when nobody else is there. */
export interface VaultContent {
  /** One more than that of the vault it takes the place of. */
  readonly number: number;
  readonly savedAtMs: number;
  readonly parts: readonly VaultPart[];
}

/** What stands in front of each chunk, readable for the server that keeps it. */
export interface ChunkHeader {
  readonly number: number;
  readonly index: number;
  readonly count: number;
}

const LABEL = 'spherecast-vault-v1';
const VAULT_VERSION = 1;
const HEADER_BYTES = 1 + 6 + 1 + 1;
/** A second of what Debian's Prosody lets a client send. */
const CHUNK_BYTES = 8 * 1024;
export const VAULT_CHUNK_BYTES = HEADER_BYTES + CHUNK_BYTES + AEAD_OVERHEAD;
export const MAX_VAULT_CHUNKS = 64;
const MAX_UNPACKED_BYTES = 4 * 1024 * 1024;

/**
 * Chunks of one length each, and as many as the next power of two: how much is in it shows no closer than that.
 * `too-large` when it needs more than are kept.
 */
export function sealVault(
  input: { readonly recoveryKey: Uint8Array; readonly random: RandomBytes },
  content: VaultContent,
): readonly Uint8Array[] {
  const packed = deflateRawSync(encodeContent(content));
  const needed = Math.max(1, Math.ceil((packed.length + 4) / CHUNK_BYTES));
  const count = 2 ** Math.ceil(Math.log2(needed));
  if (count > MAX_VAULT_CHUNKS) throw new AppError('too-large', 'the vault is full', { bytes: packed.length });
  const padded = new Uint8Array(count * CHUNK_BYTES);
  padded.set(concatBytes(numberBytes(packed.length, 4), packed));
  const key = deriveKey(input.recoveryKey, LABEL);
  return Array.from({ length: count }, (_, index) => {
    const header = encodeHeader({ number: content.number, index, count });
    const plain = padded.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    return concatBytes(header, encryptAead({ key, context: contextOf(header), random: input.random }, plain));
  });
}

/** undefined for what is no chunk of a vault. */
export function readChunkHeader(chunk: Uint8Array): ChunkHeader | undefined {
  if (chunk.length !== VAULT_CHUNK_BYTES || chunk[0] !== VAULT_VERSION) return undefined;
  const reader = new ByteReader(chunk.subarray(1));
  const number = reader.number(3) * 2 ** 24 + reader.number(3);
  const index = reader.number(1);
  const count = reader.number(1);
  return count === 0 || count > MAX_VAULT_CHUNKS || index >= count ? undefined : { number, index, count };
}

/** `forged` when a chunk was made or moved by somebody without the key; all of one number, in their order. */
export function openVault(recoveryKey: Uint8Array, chunks: readonly Uint8Array[]): VaultContent {
  const key = deriveKey(recoveryKey, LABEL);
  const [first] = chunks.map(readChunkHeader);
  const plain = chunks.map((chunk, index) => {
    const header = readChunkHeader(chunk);
    const isNext = header?.index === index && header.number === first?.number && header.count === chunks.length;
    if (!isNext) throw new AppError('forged', 'the chunks are not those of one vault');
    const bytes = encodeHeader(header);
    return decryptAead({ key, context: contextOf(bytes) }, chunk.subarray(HEADER_BYTES));
  });
  if (first === undefined) throw new AppError('bad-input', 'a vault without chunks');
  const reader = new ByteReader(concatBytes(...plain));
  return decodeContent(first.number, inflate(reader.take(reader.number(4))));
}

function encodeHeader({ number, index, count }: ChunkHeader): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(VAULT_VERSION), numberBytes(number, 6), Uint8Array.of(index, count));
}

function contextOf(header: Uint8Array): Uint8Array {
  return concatBytes(toUtf8(`${LABEL}\0`), header);
}

function encodeContent({ savedAtMs, parts }: VaultContent): Uint8Array {
  const encoded = parts.flatMap(({ sphereId, envelope }) => [
    fromHex(sphereId) ?? new Uint8Array(KEY_BYTES),
    numberBytes(envelope.length, 4),
    envelope,
  ]);
  return concatBytes(numberBytes(savedAtMs, 6), numberBytes(parts.length, 2), ...encoded);
}

function decodeContent(number: number, bytes: Uint8Array): VaultContent {
  const reader = new ByteReader(bytes);
  const savedAtMs = reader.number(3) * 2 ** 24 + reader.number(3);
  const parts = Array.from({ length: reader.number(2) }, () => ({
    sphereId: toHex(reader.take(KEY_BYTES)) as SphereId,
    envelope: reader.take(reader.number(4)),
  }));
  if (reader.remaining > 0) throw new AppError('bad-input', 'bytes behind the vault');
  return { number, savedAtMs, parts };
}

function inflate(packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (error) {
    throw new AppError('bad-input', 'the vault cannot be unpacked', {}, error);
  }
}
