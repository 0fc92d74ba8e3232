import type { EventId, ItemId, PersonId, SphereId } from '../base/id.ts';
import { originOf } from './origin.ts';
import type { ItemEvent, SignedEvent } from './protocol/event.ts';
import { isItemEvent } from './protocol/event.ts';
import { compareEvents } from './protocol/log-order.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import type { Sphere } from './sphere.ts';
import { versionBefore } from './versions.ts';

/** What of a sphere's past a person may have. */
export interface History {
  /** Whether they may read what was said and open what was shared by this event. */
  isOpen(event: SignedEvent): boolean;
  /** Whether they need the key of this epoch: others open nothing that is theirs to open. */
  isEpochOpen(event: SignedEvent): boolean;
}

type Past = Pick<Sphere, 'id' | 'log' | 'state' | 'former'>;

const EVERYTHING: History = { isOpen: () => true, isEpochOpen: () => true };
const NOTHING: History = { isOpen: () => false, isEpochOpen: () => false };

/**
 * By the rule that the founder chose: everything, or what comes behind the event that the person last joined by, and of
 * what was carried over here from another sphere, whatever was theirs there. Their place in canonical order decides, so
 * that all members who have both spheres answer alike.
 */
export function historyFor(sphere: Past, person: PersonId, within: ReadonlySet<SphereId> = new Set()): History {
  const { log, state } = sphere;
  if (state.genesis?.policy.history !== 'from-join') return EVERYTHING;
  const jid = state.accounts.get(person);
  const id = (jid === undefined ? undefined : state.members.get(jid))?.began ?? null;
  const began = id === null ? undefined : log.get(id);
  if (began === undefined) return NOTHING;
  const isSince = (event: SignedEvent): boolean => compareEvents(began, event) <= 0;
  const isCarried = carriedHistory(sphere, person, within);
  const isOpen = (event: SignedEvent): boolean => isSince(event) || (isItemEvent(event) && isCarried(event));
  const inForce = epochInForce({ log, state }, isSince);
  let others: ReadonlySet<EventId> | undefined;
  const isEpochOpen = (event: SignedEvent): boolean => {
    if (event.type !== 'epoch') return false;
    if (event.body.number >= inForce) return true;
    others ??= epochsOf([...state.items.values()].map((item) => item.event).filter(isCarried));
    return others.has(event.id);
  };
  return { isOpen, isEpochOpen };
}

/** Whether an item, or one that it took the place of, was carried over from one that was the person's to open. */
function carriedHistory(sphere: Past, person: PersonId, within: ReadonlySet<SphereId>): (event: ItemEvent) => boolean {
  const { items } = sphere.state;
  const { former } = sphere;
  // Two spheres may each say to go on from the other: each is looked at once.
  if (former === undefined || within.has(former.id)) return () => false;
  let isTheirs: ((event: SignedEvent) => boolean) | undefined;
  const isOriginTheirs = (event: ItemEvent): boolean => {
    const origin = originOf({ former }, event);
    if (origin === undefined) return false;
    isTheirs ??= theirsIn(former, person, new Set([...within, sphere.id]));
    return isTheirs(origin.event);
  };
  return (event) => {
    for (let id: ItemId | null = event.id as string as ItemId; id !== null; id = versionBefore(items, id)) {
      const version = items.get(id)?.event;
      if (version !== undefined && isOriginTheirs(version)) return true;
    }
    return false;
  };
}

/** What was a person's to open in a sphere while they were in it: nothing when they were removed. */
function theirsIn(sphere: Past, person: PersonId, within: ReadonlySet<SphereId>): (event: SignedEvent) => boolean {
  const { log, state } = sphere;
  const jid = state.accounts.get(person);
  const member = jid === undefined ? undefined : state.members.get(jid);
  // Whoever is invited once more is nobody there until they come.
  if (member?.person !== person || member.state === 'removed') return () => false;
  const { isOpen } = historyFor(sphere, person, within);
  if (member.state === 'joined') return isOpen;
  const isEnd = ({ id, type, header }: SignedEvent): boolean =>
    type === 'leave' && header.person === person && log.verdict(id)?.kind === 'accepted';
  const left = log.events().findLast(isEnd);
  return (event) => left !== undefined && compareEvents(event, left) < 0 && isOpen(event);
}

function epochsOf(events: readonly ItemEvent[]): ReadonlySet<EventId> {
  return new Set(events.flatMap(({ body }) => body.epoch ?? []));
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
