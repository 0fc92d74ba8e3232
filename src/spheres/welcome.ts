import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Attachment, AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { ATTACHMENT_KINDS, encodeEnvelope, entryOf, splitEntries } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** Leaves room for base64 and the header in a stanza of 64 KiB. */
const MAX_GROUP_BYTES = 36 * 1024;

/**
 * Passes the whole log on to the device that answered an invitation: events as they were signed, what belongs to
 * them, and the keys of all epochs.
 */
export function welcomeDevice(sphere: Sphere, storage: Storage, joined: KnownEvent<'join'>): void {
  const entries = sphere.log.events().map((event) => entryOf(event, attachmentsOf(event, sphere, storage)));
  const audience = { kind: 'device', device: joined.header.device } as const;
  storage.transaction(() => {
    storage.welcomes.add(joined.id);
    for (const group of splitEntries(entries, MAX_GROUP_BYTES)) {
      sphere.enqueueEnvelope(firstId(group), encodeEnvelope(group), sphere.row.room, { audience });
    }
    introduce(sphere, joined);
  });
}

/** Whom the newcomer did not know of when answering was not written to: they get the answer and its papers from us. */
function introduce(sphere: Sphere, joined: KnownEvent<'join'>): void {
  const { membership, device } = joined.header;
  const known = (membership === null ? undefined : sphere.log.get(membership))?.header.lamport ?? 0;
  const events = sphere.log.events();
  const isUnknown = ({ type, header }: SignedEvent): boolean =>
    (type === 'invite' || type === 'join') && header.device !== device && header.lamport > known;
  if (!events.some(isUnknown)) return;
  const papers = events.filter((event) => event.type === 'device' && event.header.device === device);
  const group = [...papers, joined].map((event) => entryOf(event));
  sphere.enqueueEnvelope(firstId(group), encodeEnvelope(group), sphere.row.room, { audience: { kind: 'certified' } });
}

/** Whether this answer was followed by a welcome: whoever comes back is welcomed again. */
export function wasWelcomed(storage: Storage, joined: KnownEvent<'join'>): boolean {
  return storage.welcomes.has(joined.id);
}

function attachmentsOf(event: SignedEvent, sphere: Sphere, storage: Storage): Attachment[] {
  const kept = storage.attachments.list(event.id).flatMap(({ kind, bytes }) => fromRow(kind, bytes));
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
