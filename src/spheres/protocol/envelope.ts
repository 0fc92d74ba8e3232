import { concatBytes } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { SphereId } from '../../base/id.ts';
import { ByteReader, numberBytes } from './byte-reader.ts';
import type { SignedEvent } from './event.ts';
import { MAX_EVENT_BYTES, parseEvent, sphereOf } from './event.ts';
import { SIGNATURE_BYTES } from './keys.ts';

/** Numbers on the wire of what travels beside an event. */
export const ATTACHMENT_KINDS = {
  /** The whole .torrent. */
  metainfo: 1,
  manifest: 2,
  /** A small picture of the item. */
  preview: 3,
  /** The item's key, wrapped under an epoch. */
  'media-key': 4,
  /** 32 bytes, for certified devices only. */
  'epoch-key': 5,
  /** UTF-8 text of a message. */
  text: 6,
  /** 32 bytes that let the invited account join; never passed on to anyone else. */
  'invite-secret': 7,
  /** UTF-8; what its owner calls a device. Beside an introduction to other devices of the same person only. */
  'device-name': 8,
  /** Tells one device of a history pack for it. Beside the genesis event in a message to that device alone. */
  'history-pack': 9,
  /** What the sphere looks like. */
  picture: 10,
} as const;

export type AttachmentKind = keyof typeof ATTACHMENT_KINDS;

/** `code` is the kind's number; kind null = a kind this version does not know. */
export interface Attachment {
  readonly kind: AttachmentKind | null;
  readonly code: number;
  readonly bytes: Uint8Array;
}

export interface EnvelopeEntry {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly attachments: readonly Attachment[];
}

/** An event with what came beside it. */
export interface DeliveredEvent {
  readonly event: SignedEvent;
  readonly attachments: readonly Attachment[];
}

export const MAX_ENVELOPE_BYTES = 1024 * 1024;
const MAX_ENTRIES = 1024;
/** Of one entry. */
export const MAX_ATTACHMENTS = 16;
const ENVELOPE_VERSION = 1;
const KIND_OF_CODE = new Map<number, AttachmentKind>(
  Object.entries(ATTACHMENT_KINDS).map(([kind, code]) => [code, kind as AttachmentKind]),
);

export function attachment(kind: AttachmentKind, bytes: Uint8Array): Attachment {
  return { kind, code: ATTACHMENT_KINDS[kind], bytes };
}

/** The first attachment of this kind. */
export function findAttachment(attachments: readonly Attachment[], kind: AttachmentKind): Uint8Array | undefined {
  return attachments.find((entry) => entry.kind === kind)?.bytes;
}

export function entryOf(event: SignedEvent, attachments: readonly Attachment[] = []): EnvelopeEntry {
  return { bytes: event.bytes, signature: event.signature, attachments };
}

/** Version, then the entries; throws `too-large` beyond the limits of an envelope. */
export function encodeEnvelope(entries: readonly EnvelopeEntry[]): Uint8Array<ArrayBuffer> {
  if (entries.length === 0 || entries.length > MAX_ENTRIES || entries.some((entry) => !fits(entry))) {
    throw new AppError('too-large', 'an envelope cannot hold this many entries', { entries: entries.length });
  }
  const bytes = concatBytes(
    Uint8Array.of(ENVELOPE_VERSION),
    numberBytes(entries.length, 2),
    ...entries.map(encodeEntry),
  );
  if (bytes.length > MAX_ENVELOPE_BYTES) {
    throw new AppError('too-large', 'the envelope is too long', { bytes: bytes.length, maxBytes: MAX_ENVELOPE_BYTES });
  }
  return bytes;
}

/** The entries as they are, not yet parsed: one bad event must not hide the others. */
export function decodeEnvelope(bytes: Uint8Array): readonly EnvelopeEntry[] {
  if (bytes.length > MAX_ENVELOPE_BYTES)
    throw new AppError('too-large', 'the envelope is too long', { bytes: bytes.length });
  const reader = new ByteReader(bytes);
  const version = reader.number(1);
  if (version !== ENVELOPE_VERSION) throw new AppError('bad-input', 'an envelope of another version', { version });
  const count = reader.number(2);
  if (count === 0 || count > MAX_ENTRIES) throw new AppError('bad-input', 'a wrong number of entries', { count });
  const entries = Array.from({ length: count }, () => decodeEntry(reader));
  if (reader.remaining > 0)
    throw new AppError('bad-input', 'bytes after the last entry', { remaining: reader.remaining });
  return entries;
}

/** The events of `sphereId` with their attachments; entries that are none of its events are counted in `refused`. */
export function parseEntries(
  entries: readonly EnvelopeEntry[],
  sphereId: SphereId,
): { readonly delivered: readonly DeliveredEvent[]; readonly refused: readonly AppError[] } {
  const delivered: DeliveredEvent[] = [];
  const refused: AppError[] = [];
  for (const entry of entries) {
    try {
      const event = parseEvent(entry.bytes, entry.signature);
      if (sphereOf(event) !== sphereId) throw new AppError('forged', 'an event of another sphere');
      delivered.push({ event, attachments: entry.attachments });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refused.push(error);
    }
  }
  return { delivered, refused };
}

/** Groups entries, in order, so that no group's envelope is longer than `maxBytes` (an entry alone may be). */
export function splitEntries(
  entries: readonly EnvelopeEntry[],
  maxBytes: number,
): readonly (readonly EnvelopeEntry[])[] {
  const groups: EnvelopeEntry[][] = [];
  let room = 0;
  for (const entry of entries) {
    const length = encodedLength(entry);
    const last = groups.at(-1);
    if (last === undefined || length > room || last.length === MAX_ENTRIES) {
      groups.push([entry]);
      room = maxBytes - 3 - length;
    } else {
      last.push(entry);
      room -= length;
    }
  }
  return groups;
}

function fits(entry: EnvelopeEntry): boolean {
  return (
    entry.bytes.length <= MAX_EVENT_BYTES &&
    entry.signature.length === SIGNATURE_BYTES &&
    entry.attachments.length <= MAX_ATTACHMENTS
  );
}

/** Bytes that an entry takes in an envelope. */
export function encodedLength(entry: EnvelopeEntry): number {
  return entry.attachments.reduce(
    (sum, { bytes }) => sum + 5 + bytes.length,
    2 + entry.bytes.length + SIGNATURE_BYTES + 1,
  );
}

function encodeEntry(entry: EnvelopeEntry): Uint8Array {
  return concatBytes(
    numberBytes(entry.bytes.length, 2),
    entry.bytes,
    entry.signature,
    numberBytes(entry.attachments.length, 1),
    ...entry.attachments.flatMap(({ code, bytes }) => [numberBytes(code, 1), numberBytes(bytes.length, 4), bytes]),
  );
}

function decodeEntry(reader: ByteReader): EnvelopeEntry {
  const length = reader.number(2);
  if (length > MAX_EVENT_BYTES) throw new AppError('bad-input', 'an event that is too long', { length });
  const bytes = reader.take(length);
  const signature = reader.take(SIGNATURE_BYTES);
  const count = reader.number(1);
  if (count > MAX_ATTACHMENTS) throw new AppError('bad-input', 'too many attachments', { count });
  const attachments = Array.from({ length: count }, () => {
    const code = reader.number(1);
    return { kind: KIND_OF_CODE.get(code) ?? null, code, bytes: reader.take(reader.number(4)) };
  });
  return { bytes, signature, attachments };
}
