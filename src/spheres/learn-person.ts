import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import { ManualTrust } from './manual-trust.ts';
import type { KnownEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** Whom we know on one of our devices we know on all. */
export function learnPerson(
  { sphere, storage, clock }: { sphere: Sphere; storage: Storage; clock: Clock },
  { header, body: { person } }: KnownEvent<'introduce'>,
): void {
  const { verified } = storage;
  const jid = sphere.jidOf(person);
  if (header.person !== sphere.person || jid === undefined) return;
  // An older word may come after the one that took it back.
  const isKnown = sphere.log.introduced.get(header.person)?.has(person) === true;
  if (!isKnown && verified.remove(person)) ManualTrust.keep(storage, jid);
  else if (isKnown && !verified.has(person)) {
    verified.removeAccount(jid);
    verified.put({ person, jid, atMs: clock.now() });
  }
}
