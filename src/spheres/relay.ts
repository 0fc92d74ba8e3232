import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import type { History } from './history.ts';
import type { Attachment, AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import {
  attachment,
  encodedLength,
  encodeEnvelope,
  entryOf,
  MAX_ATTACHMENTS,
  splitEntries,
} from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import { textsWith } from './protocol/long-text.ts';
import type { Sphere } from './sphere.ts';
import { UnjudgedAttachments } from './unjudged-attachments.ts';

/** Leaves room for base64 and the header in a stanza of 64 KiB. */
const MAX_GROUP_BYTES = 36 * 1024;
/** All but an invitation's secret, which is for the invited account alone. */
const PASSED_ON: readonly AttachmentKind[] = [
  'text',
  'media-key',
  'epoch-key',
  'manifest',
  'metainfo',
  'preview',
  'picture',
];
/** What no stanza carries of these is fetched, or done without. */
const FETCHED: readonly AttachmentKind[] = ['manifest', 'metainfo', 'preview'];

/**
 * An event as it was signed, with what is kept of what belongs beside it and the epoch key we hold, as far as `history`
 * is open to whoever gets it. The event itself goes to every member: without it there would be a gap in its device's
 * chain, and no removal could be judged.
 */
export function relayEntry(event: SignedEvent, sphere: Sphere, storage: Storage, history: History): EnvelopeEntry {
  const isOpen = event.type === 'epoch' ? history.isEpochOpen(event) : isOpenIn(sphere, history, event);
  return entryOf(event, isOpen ? attachmentsOf(event, sphere, storage) : []);
}

/** As many of the events as fit, from the first on: at least that one. */
export function relayEntries(
  events: readonly SignedEvent[],
  maxBytes: number,
  { sphere, storage, history }: { readonly sphere: Sphere; readonly storage: Storage; readonly history: History },
): EnvelopeEntry[] {
  const entries: EnvelopeEntry[] = [];
  let room = maxBytes;
  for (const event of events) {
    const entry = relayEntry(event, sphere, storage, history);
    room -= encodedLength(entry);
    if (room < 0 && entries.length > 0) break;
    entries.push(entry);
  }
  return entries;
}

/** A text that somebody may read they may read from its beginning, also when they came while it was on its way. */
function isOpenIn({ log }: Sphere, history: History, event: SignedEvent): boolean {
  // Like the name it is what the sphere is now, whenever it was given; earlier ones are nobody's business.
  if (event.type === 'picture') return event.id === log.picture?.id;
  return history.isOpen(event) || (event.type === 'part' && textsWith(log, event).some((text) => history.isOpen(text)));
}

/** Queues entries in as few messages as they fit into. Their order stays. */
export function enqueueRelays(sphere: Sphere, entries: readonly EnvelopeEntry[], audience: Audience): void {
  for (const group of splitEntries(entries, MAX_GROUP_BYTES)) {
    const to = audience.kind === 'known' ? audience.jid : sphere.row.room;
    sphere.enqueueEnvelope(firstId(group), encodeEnvelope(group), to, { audience });
  }
}

function attachmentsOf(event: SignedEvent, sphere: Sphere, storage: Storage): Attachment[] {
  const judged = event.type === 'unknown' ? [] : judgedOf(event, sphere, storage);
  const unjudged = new UnjudgedAttachments({ storage, event }).list(MAX_ATTACHMENTS - judged.length);
  return [...judged, ...unjudged];
}

function judgedOf(event: SignedEvent, sphere: Sphere, storage: Storage): Attachment[] {
  const judged = storage.attachments.list(event.id).flatMap(({ kind, bytes }): Attachment[] => {
    if (kind === 'media-key' && event.type === 'item') {
      const copies = sphere.mediaKeyCopies(event).list();
      return copies.map((copy) => attachment(kind, copy));
    }
    const known = PASSED_ON.find((one) => one === kind);
    const isTooLong = FETCHED.some((one) => one === known) && bytes.length > MAX_GROUP_BYTES;
    return known === undefined || isTooLong ? [] : [attachment(known, bytes)];
  });
  const epoch = event.type === 'epoch' ? storage.epochs.get(sphere.id, event.id) : undefined;
  return epoch === undefined ? judged : [attachment('epoch-key', epoch.key)];
}

function firstId(group: readonly EnvelopeEntry[]): EventId {
  return sha256Hex(group[0]?.bytes ?? new Uint8Array()) as EventId;
}
