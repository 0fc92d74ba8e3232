import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import { ManualTrust } from './manual-trust.ts';
import type { KnownEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** Whom we know on one of our devices we know on all. */
export function learnPerson(
  { sphere, storage, clock }: { sphere: Sphere; storage: Storage; clock: Clock },
  { header, body }: KnownEvent<'introduce'>,
): void {
  const { verified } = storage;
  const { person } = body;
  const jid = sphere.jidOf(person);
  if (header.person !== sphere.person || jid === undefined) return;
  // An older word may come after the one that took it back.
  const isKnown = sphere.log.introduced.get(header.person)?.has(person) === true;
  // Also where both words come together, and it was never known here.
  if (!isKnown && (verified.remove(person) || !body.isKnown)) ManualTrust.keep(storage, jid);
  else if (isKnown && !verified.has(person)) {
    verified.removeAccount(jid);
    verified.put({ person, jid, atMs: clock.now() });
  }
}
