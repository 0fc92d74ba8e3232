import type { Clock } from '../base/clock.ts';
import type { BareJid, EventId, ItemId, PersonId } from '../base/id.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { CarryOverDeps } from './carry-over.ts';
import { carryItem, itemsOnList } from './carry-over.ts';
import type { SphereChange } from './effects.ts';
import { historyFor } from './history.ts';
import { openMediaKey } from './item-source.ts';
import { torrentMark } from './origin.ts';
import type { ItemEvent } from './protocol/event.ts';
import { isItemEvent } from './protocol/event.ts';
import type { SphereMember } from './protocol/sphere-state.ts';
import type { Sphere } from './sphere.ts';
import { versionsOf } from './versions.ts';

interface LateItemsDeps extends CarryOverDeps {
  /** Whether everything of a sphere is here that anybody present knows of. */
  readonly isComplete: (sphere: Sphere) => boolean;
  /** Whether the room's archive was read, or nobody lets us in any more. */
  readonly isRead: (room: BareJid) => boolean;
  readonly clock: Clock;
}

/** What comes in a burst is looked at once, and what was listed meanwhile has a moment to arrive. */
const SETTLE_MS = 2_000;
/** Who is present tells what they have without anything changing here. */
const AGAIN_MS = 60_000;
const IDLE_MS = 6 * 3_600_000;

/**
 * Lists in a sphere that goes on what we ourselves had shared in the old one and its founder had not: somebody was away,
 * or the founder had no key of it. Only what is our own: everybody else lists what is theirs.
 */
export class LateItems {
  readonly #deps: LateItemsDeps;
  readonly #work: RecurringWork;
  #dueAtMs: number;

  constructor(deps: LateItemsDeps) {
    this.#deps = deps;
    this.#dueAtMs = deps.clock.monotonic() + SETTLE_MS;
    this.#work = new RecurringWork({ ...deps, pass: () => Promise.resolve(this.#pass()), retryMs: AGAIN_MS });
  }

  /** Until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  /** Either of two spheres has changed. */
  changed({ log }: Sphere, changes: readonly SphereChange[]): void {
    const { continues, continued } = log.continuation;
    const isOfUse = changes.some(({ kind }) => kind !== 'message' && kind !== 'message-gone');
    if (!isOfUse || (continues === null && continued.size === 0)) return;
    this.#dueAtMs = Math.min(this.#dueAtMs, this.#deps.clock.monotonic() + SETTLE_MS);
    this.#work.wake();
  }

  #pass(): number {
    const { list, clock } = this.#deps;
    const waitMs = this.#dueAtMs - clock.monotonic();
    if (waitMs > 0) return waitMs;
    this.#dueAtMs = clock.monotonic() + IDLE_MS;
    for (const to of list.all()) {
      const from = to.former;
      if (from === undefined || !mayList(from, to)) continue;
      if (!this.#attempt(from, to)) this.#dueAtMs = Math.min(this.#dueAtMs, clock.monotonic() + AGAIN_MS);
    }
    return Math.max(50, this.#dueAtMs - clock.monotonic());
  }

  #attempt(from: Sphere, to: Sphere): boolean {
    try {
      return this.#carry(from, to);
    } catch (error) {
      this.#deps.log.warn('items are not listed late', { error });
      return false;
    }
  }

  /** False when something waits for what is missing here: of the new sphere, of the old one, or its key. */
  #carry(from: Sphere, to: Sphere): boolean {
    const { storage, list, isRead } = this.#deps;
    const ours = itemsOnList(storage, from, (event) => isForUs(from, to, event));
    const absent = absentItems(from, to, ours).filter((event) => isForAll(from, to, event) && !getsNewKey(from, event));
    // What was deleted there meanwhile must not come back here, and who was removed there gets nothing here.
    const isOldRead = absent.length > 0 && isRead(from.row.room);
    const hasInvited = absent.length > 0 && hasFounderInvited(to);
    const due = absent.filter(
      (event) => isOldRead && this.#isFoundingHere(to, event, hasInvited) && hasKey(from, event),
    );
    if (due.length > 0) list.together(to, () => due.forEach((event) => carryItem(this.#deps, { from, to, event })));
    return due.length === absent.length;
  }

  /**
   * Whether we would know if it were listed already. The founder lists everything before inviting anybody, and only the
   * computer that shared an item lists it later, as long as it is one of its person's.
   */
  #isFoundingHere(to: Sphere, { header }: ItemEvent, hasInvited: boolean): boolean {
    return (hasInvited && header.device === to.device) || this.#deps.isComplete(to);
  }
}

function hasFounderInvited({ id, log }: Sphere): boolean {
  const founder = log.get(id as string as EventId)?.header.device;
  if (founder === undefined) return false;
  const end = log.unbrokenEnd(founder);
  return log
    .events()
    .some(({ type, header }) => type === 'invite' && header.device === founder && header.sequence <= end);
}

/** Without its key nothing can be listed; it may still come. */
function hasKey(sphere: Sphere, event: ItemEvent): boolean {
  try {
    openMediaKey(sphere, event);
    return true;
  } catch {
    return false;
  }
}

/** We are in both, may share in the new one, and have its key. */
function mayList(from: Sphere, to: Sphere): boolean {
  const { currentEpoch } = to.state;
  if (from.row.state !== 'joined' || to.row.state !== 'joined') return false;
  if (to.role === undefined || to.role === 'viewer') return false;
  return currentEpoch !== null && to.epoch(currentEpoch.id) !== undefined;
}

/**
 * Those of ours that the new sphere never listed in any version. What was deleted, replaced or refused there was listed.
 */
function absentItems(from: Sphere, to: Sphere, events: readonly ItemEvent[]): ItemEvent[] {
  if (events.length === 0) return [];
  const { items, held, refused } = to.state;
  const others = [...held.keys(), ...refused.keys()]
    .map((id) => to.log.get(id))
    .filter((event) => isItemEvent(event))
    // Anybody may list what is refused, to keep ours away.
    .filter(({ id, header }) => held.has(id) || header.person === to.person);
  const listed = [...[...items.values()].map(({ event }) => event), ...others];
  const marks = new Set(listed.map((event) => torrentMark(event)));
  const isListed = (id: ItemId): boolean => {
    const version = from.state.items.get(id)?.event;
    return version !== undefined && marks.has(torrentMark(version));
  };
  return events.filter(({ id }) => !versionsOf(from.state.items, id as string as ItemId).some((one) => isListed(one)));
}

/** Of a person's computers the one that shared it lists it; when that has ended, of the others the one with the smallest key. */
function isForUs(from: Sphere, to: Sphere, { header }: ItemEvent): boolean {
  if (header.device === to.device) return true;
  const hasEnded = [from, to].some(({ state }) => state.endedDevices.has(header.device));
  if (header.person !== to.person || !hasEnded) return false;
  const own = [...to.state.devices.values()].flatMap(({ person, device }) => (person === to.person ? [device] : []));
  return own.toSorted()[0] === to.device;
}

/** Nobody comes in the new sphere by what was kept from them in the old one. */
function isForAll(from: Sphere, to: Sphere, event: ItemEvent): boolean {
  return [...to.state.members.values()].every((member) => {
    if (member.state !== 'joined' && member.state !== 'invited') return true;
    if (memberOf(from, member)?.state === 'removed') return false;
    return member.person === null || historyFor(from, member.person).isOpen(event);
  });
}

/** It is about to be shared anew in the old sphere, under a key that nobody who was removed there has. */
function getsNewKey({ state }: Sphere, { id, body }: ItemEvent): boolean {
  const needsIt = state.items.get(id as string as ItemId)?.needsNewKey === true;
  return needsIt && !body.plain && !state.isEpochDue;
}

/** The same person in another sphere, or whoever has the same account there. */
function memberOf({ state }: Sphere, { person, jid }: { person: PersonId | null } & Pick<SphereMember, 'jid'>) {
  const account = person === null ? jid : (state.accounts.get(person) ?? jid);
  return state.members.get(account);
}
