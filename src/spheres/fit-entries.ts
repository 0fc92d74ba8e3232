import { AppError } from '../base/errors.ts';
import type { AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { sealedLength } from './protocol/seal.ts';

/** The most a stanza of ours may weigh: far below what any server cuts off. */
export const MAX_STANZA_BYTES = 64 * 1024;
/** One `key` element of an OMEMO header, in the larger prekey form, with its XML. */
const KEY_ELEMENT_BYTES = 300;
/** Names, ids and hints of the message around header and payload. */
const FRAME_BYTES = 1500;

/** What can be fetched or made again, least needed first. */
const DISPENSABLE: readonly AttachmentKind[] = ['preview', 'metainfo', 'manifest'];

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
    if (textLength(kept) <= room) return kept;
    kept = kept.map((entry) => ({ ...entry, attachments: entry.attachments.filter((one) => one.kind !== kind) }));
  }
  if (textLength(kept) > room) throw new AppError('too-large', 'the entry is too long for a stanza', { recipients });
  return kept;
}

/** In base64. */
function textLength(entries: readonly EnvelopeEntry[]): number {
  return (sealedLength(entries) * 4) / 3;
}
