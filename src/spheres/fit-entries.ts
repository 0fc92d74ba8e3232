import { AppError } from '../base/errors.ts';
import type { AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { encodedLength } from './protocol/envelope.ts';
import { sealedLength } from './protocol/seal.ts';

/** The most a stanza of ours may weigh: far below what any server cuts off. */
export const MAX_STANZA_BYTES = 64 * 1024;
/** One `key` element of an OMEMO header, in the larger prekey form, with its XML. */
const KEY_ELEMENT_BYTES = 300;
/** Names, ids and hints of the message around header and payload. */
const FRAME_BYTES = 1500;

/** Generously: what an envelope and its encryption add, and packing that does not help. */
const ENVELOPE_BYTES = 256;

/** What this version does not know, then what can be fetched or made again, least needed first. */
const DISPENSABLE: readonly (AttachmentKind | null)[] = [null, 'preview', 'picture', 'metainfo', 'manifest'];

/** Leaves attachments out, least needed first, until the stanza fits; `too-large` when it cannot. */
export function fitEntries(
  entries: readonly EnvelopeEntry[],
  recipients: number,
  line: string | null,
): readonly EnvelopeEntry[] {
  const payload = Math.ceil((Buffer.byteLength(line ?? '') * 4) / 3);
  const room = MAX_STANZA_BYTES - FRAME_BYTES - recipients * KEY_ELEMENT_BYTES - payload;
  let kept = entries;
  for (const kind of DISPENSABLE) {
    if (fits(kept, room)) return kept;
    kept = kept.map((entry) => ({ ...entry, attachments: entry.attachments.filter((one) => one.kind !== kind) }));
  }
  if (!fits(kept, room)) throw new AppError('too-large', 'the entry is too long for a stanza', { recipients });
  return kept;
}

function fits(entries: readonly EnvelopeEntry[], room: number): boolean {
  // Packing takes long, and what is short enough unpacked needs no trial.
  const unpacked = entries.reduce((sum, entry) => sum + encodedLength(entry), ENVELOPE_BYTES);
  return textLength(unpacked) <= room || textLength(sealedLength(entries)) <= room;
}

/** In base64. */
function textLength(bytes: number): number {
  return (bytes * 4) / 3;
}
