import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import type { History } from './history.ts';
import type { Attachment, AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { attachment, ATTACHMENT_KINDS, encodeEnvelope, entryOf, splitEntries } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { Sphere } from './sphere.ts';

/** Leaves room for base64 and the header in a stanza of 64 KiB. */
const MAX_GROUP_BYTES = 36 * 1024;

/**
 * An event as it was signed, with what is kept of what belongs beside it and the epoch key we hold, as far as `history`
 * is open to whoever gets it. The event itself goes to every member: without it there would be a gap in its device's
 * chain, and no removal could be judged.
 */
export function relayEntry(event: SignedEvent, sphere: Sphere, storage: Storage, history: History): EnvelopeEntry {
  const isOpen = event.type === 'epoch' ? history.isEpochOpen(event) : history.isOpen(event);
  return entryOf(event, isOpen ? attachmentsOf(event, sphere, storage) : []);
}

/** Queues entries in as few messages as they fit into. Their order stays. */
export function enqueueRelays(sphere: Sphere, entries: readonly EnvelopeEntry[], audience: Audience): void {
  for (const group of splitEntries(entries, MAX_GROUP_BYTES)) {
    const to = audience.kind === 'known' ? audience.jid : sphere.row.room;
    sphere.enqueueEnvelope(firstId(group), encodeEnvelope(group), to, { audience });
  }
}

function attachmentsOf(event: SignedEvent, sphere: Sphere, storage: Storage): Attachment[] {
  const kept = storage.attachments.list(event.id).flatMap(({ kind, bytes }) => {
    const isKey = kind === 'media-key' && event.type === 'item';
    return isKey
      ? sphere
          .mediaKeyCopies(event)
          .list()
          .map((copy) => attachment(kind, copy))
      : fromRow(kind, bytes);
  });
  if (event.type !== 'epoch') return kept;
  const epoch = storage.epochs.get(sphere.id, event.id);
  if (epoch === undefined) return kept;
  return [...kept, { kind: 'epoch-key', code: ATTACHMENT_KINDS['epoch-key'], bytes: epoch.key }];
}

function fromRow(kind: string, bytes: Uint8Array): Attachment[] {
  if (kind === 'invite-secret') return [];
  if (Object.hasOwn(ATTACHMENT_KINDS, kind)) {
    const known = kind as AttachmentKind;
    return [{ kind: known, code: ATTACHMENT_KINDS[known], bytes }];
  }
  return [{ kind: null, code: Number(kind), bytes }];
}

function firstId(group: readonly EnvelopeEntry[]): EventId {
  return sha256Hex(group[0]?.bytes ?? new Uint8Array()) as EventId;
}
