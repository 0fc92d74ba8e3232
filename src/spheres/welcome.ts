import type { Storage } from '../storage/storage.ts';
import { foundationOf } from './hand-over.ts';
import { historyFor } from './history.ts';
import { MAX_MAIL_BYTES } from './log-answers.ts';
import { entryOf } from './protocol/envelope.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import { enqueueRelays, relayEntries } from './relay.ts';
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
  const events = sphere.log.events();
  const history = historyFor(sphere, person);
  const all = relayEntries(events, isPresent ? MAX_MAIL_BYTES : Infinity, { sphere, storage, history });
  const entries = all.length === events.length ? all : foundationOf(sphere, storage, person);
  storage.transaction(() => {
    storage.welcomes.add(joined.id);
    enqueueRelays(sphere, entries, { kind: 'device', device });
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
  const entries = [...papers, joined].map((event) => entryOf(event));
  enqueueRelays(sphere, entries, { kind: 'certified' });
}

/** Whether this answer was followed by a welcome: whoever comes back is welcomed again. */
export function wasWelcomed(storage: Storage, joined: KnownEvent<'join'>): boolean {
  return storage.welcomes.has(joined.id);
}
