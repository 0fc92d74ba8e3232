// RFC 1951: raw deflate · RFC 5869: HKDF · NIST SP 800-38D: AES-256-GCM
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { concatBytes, fromHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { EventId, SphereId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import { AEAD_OVERHEAD, decryptAead, encryptAead } from './aead.ts';
import type { EnvelopeEntry } from './envelope.ts';
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE_BYTES } from './envelope.ts';
import { deriveKey, sha256Hex } from './keys.ts';

export const SEALED_NAMESPACE = 'urn:spherecast:sealed:0';
const SEALED_VERSION = 1;
const MESSAGE_KEY_BYTES = 16;
const MAX_RATIO = 100;

/** What the sealed element says in its attributes. `event` is the id of the first event inside. */
export interface SealContext {
  readonly sphere: SphereId;
  readonly event: EventId;
}

/**
 * The content of our element beside an OMEMO message. The 128-bit OMEMO message key bounds its strength.
 * Every recipient knows that key: sealing hides, only the signatures inside tell who speaks.
 */
export function seal(
  input: { readonly messageKey: Uint8Array; readonly context: SealContext; readonly random: RandomBytes },
  entries: readonly EnvelopeEntry[],
): Uint8Array<ArrayBuffer> {
  assertFirst(input.context, entries);
  return encryptAead(
    { ...aeadInput(input.messageKey, input.context), random: input.random },
    deflate(encodeEnvelope(entries)),
  );
}

/** Throws `forged` when the key or an attribute differs, `bad-input` or `too-large` when the content is malformed. */
export function openSealed(
  input: { readonly messageKey: Uint8Array; readonly context: SealContext },
  sealed: Uint8Array,
): readonly EnvelopeEntry[] {
  const entries = decodeEnvelope(inflate(decryptAead(aeadInput(input.messageKey, input.context), sealed)));
  assertFirst(input.context, entries);
  return entries;
}

/** How long the sealed bytes will be, without a key. */
export function sealedLength(entries: readonly EnvelopeEntry[]): number {
  return deflate(encodeEnvelope(entries)).length + AEAD_OVERHEAD;
}

function aeadInput(messageKey: Uint8Array, context: SealContext): { key: Uint8Array; context: Uint8Array } {
  if (messageKey.length !== MESSAGE_KEY_BYTES) {
    throw new AppError('bad-input', 'not an OMEMO message key', { length: messageKey.length });
  }
  return { key: deriveKey(messageKey, SEALED_NAMESPACE), context: contextBytes(context) };
}

function contextBytes({ sphere, event }: SealContext): Uint8Array {
  const ids = [fromHex(sphere), fromHex(event)].filter((id) => id?.length === 32);
  const [sphereBytes, eventBytes] = ids;
  if (sphereBytes === undefined || eventBytes === undefined)
    throw new AppError('bad-input', 'not a sphere and an event');
  return concatBytes(toUtf8(SEALED_NAMESPACE), Uint8Array.of(SEALED_VERSION), sphereBytes, eventBytes);
}

function assertFirst(context: SealContext, entries: readonly EnvelopeEntry[]): void {
  const [first] = entries;
  if (first === undefined || sha256Hex(first.bytes) !== context.event) {
    throw new AppError('forged', 'the sealed element names another event than it holds');
  }
}

function deflate(bytes: Uint8Array): Uint8Array {
  const packed = deflateRawSync(bytes);
  // A reader refuses what grows more than this, so what packs better is stored.
  return packed.length * MAX_RATIO >= bytes.length ? packed : deflateRawSync(bytes, { level: 0 });
}

function inflate(packed: Uint8Array): Uint8Array {
  const maxOutputLength = Math.min(MAX_ENVELOPE_BYTES, packed.length * MAX_RATIO);
  if (maxOutputLength === 0) throw new AppError('bad-input', 'nothing is sealed');
  try {
    return inflateRawSync(packed, { maxOutputLength });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    throw new AppError(isTooLarge ? 'too-large' : 'bad-input', 'the sealed content cannot be unpacked', {}, error);
  }
}
