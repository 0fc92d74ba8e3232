import type { PersonId } from '../base/id.ts';
import type { SignedEvent } from './protocol/event.ts';
import { compareEvents } from './protocol/log-order.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import type { Sphere } from './sphere.ts';

/** What of a sphere's past a person may have. */
export interface History {
  /** Whether they may read what was said and open what was shared by this event. */
  isOpen(event: SignedEvent): boolean;
  /** Whether they need the key of this epoch: older ones open nothing that is theirs to open. */
  isEpochOpen(event: SignedEvent): boolean;
}

const EVERYTHING: History = { isOpen: () => true, isEpochOpen: () => true };
const NOTHING: History = { isOpen: () => false, isEpochOpen: () => false };

/**
 * By the rule that the founder chose: everything, or what comes behind the event that the person last joined by.
 * Their place in canonical order decides, so that all members answer alike.
 */
export function historyFor({ log, state }: Pick<Sphere, 'log' | 'state'>, person: PersonId): History {
  if (state.genesis?.policy.history !== 'from-join') return EVERYTHING;
  const jid = state.accounts.get(person);
  const id = (jid === undefined ? undefined : state.members.get(jid))?.began ?? null;
  const began = id === null ? undefined : log.get(id);
  if (began === undefined) return NOTHING;
  const isOpen = (event: SignedEvent): boolean => compareEvents(began, event) <= 0;
  const inForce = epochInForce({ log, state }, isOpen);
  const isEpochOpen = (event: SignedEvent): boolean => event.type === 'epoch' && event.body.number >= inForce;
  return { isOpen, isEpochOpen };
}

/** The number of the epoch that the sphere was in when the person came. */
function epochInForce(
  { log, state }: { readonly log: Sphere['log']; readonly state: SphereState },
  isOpen: History['isOpen'],
): number {
  const before = state.epochs.filter(({ id }) => {
    const event = log.get(id);
    return event !== undefined && !isOpen(event);
  });
  return Math.max(0, ...before.map(({ number }) => number));
}
