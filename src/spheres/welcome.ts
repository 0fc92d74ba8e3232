import type { PersonId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { foundationOf } from './hand-over.ts';
import { historyFor } from './history.ts';
import { MAX_MAIL_BYTES } from './log-answers.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import { encodedLength, entryOf } from './protocol/envelope.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import { enqueueRelays, relayEntry } from './relay.ts';
import type { Sphere } from './sphere.ts';

/**
 * Passes the log on to the device that answered an invitation: events as they were signed and, as far as the past is open
 * to the newcomer, what belongs to them and the keys of the epochs. Of a long log only what makes it one of the sphere's
 * when it is there to ask for the rest: that comes as a pack, and mail would take hours.
 */
export function welcomeDevice(
  sphere: Sphere,
  storage: Storage,
  joined: KnownEvent<'join'>,
  { isPresent }: { readonly isPresent: boolean },
): void {
  const { person, device } = joined.header;
  const all = allEntries(sphere, storage, person, isPresent ? MAX_MAIL_BYTES : Infinity);
  const entries = all ?? foundationOf(sphere, storage, person);
  storage.transaction(() => {
    storage.welcomes.add(joined.id);
    enqueueRelays(sphere, entries, { kind: 'device', device });
    introduce(sphere, joined);
  });
}

/** undefined when they are longer. */
function allEntries(
  sphere: Sphere,
  storage: Storage,
  person: PersonId,
  maxBytes: number,
): readonly EnvelopeEntry[] | undefined {
  const history = historyFor(sphere, person);
  const entries: EnvelopeEntry[] = [];
  let room = maxBytes;
  for (const event of sphere.log.events()) {
    const entry = relayEntry(event, sphere, storage, history);
    room -= encodedLength(entry);
    if (room < 0) return undefined;
    entries.push(entry);
  }
  return entries;
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
  const entries = [...papers, joined].map((event) => entryOf(event));
  enqueueRelays(sphere, entries, { kind: 'certified' });
}

/** Whether this answer was followed by a welcome: whoever comes back is welcomed again. */
export function wasWelcomed(storage: Storage, joined: KnownEvent<'join'>): boolean {
  return storage.welcomes.has(joined.id);
}
