import type { DeviceKey, EventId, SphereId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';
import type { HoldReason } from './verdict.ts';

/** How far a Lamport time may be ahead of the one before it. */
export const MAX_LAMPORT_STEP = 2 ** 20;

/** The order in which every member folds the same events: Lamport time, then device, sequence and id. */
export function compareEvents(a: SignedEvent, b: SignedEvent): number {
  return (
    a.header.lamport - b.header.lamport ||
    compareText(a.header.device, b.header.device) ||
    a.header.sequence - b.header.sequence ||
    compareText(a.id, b.id)
  );
}

/**
 * Places events in canonical order and finds, for each, what its author had seen. All of it is a function
 * of the set of events alone, whatever order they came in.
 */
export class LogOrder {
  readonly ordered: SignedEvent[] = [];
  readonly held = new Map<EventId, HoldReason>();
  /** Events that contradict the events they name. */
  readonly broken = new Set<EventId>();
  /** 0 when nothing is in the log yet. */
  nextLamport = 0;
  /** True when an event is held until others come closer to its Lamport time. */
  isWaitingForTime = false;
  readonly #byId: ReadonlyMap<EventId, SignedEvent>;
  readonly #position = new Map<EventId, number>();
  readonly #seen = new Map<EventId, number>();
  readonly #seenByDevice = new Map<DeviceKey, number>();
  /** Each device's events by sequence, and what it had seen before each. */
  readonly #chains = new Map<DeviceKey, { readonly event: SignedEvent; readonly seenBefore: number }[]>();
  readonly #hasGenesis: boolean;

  /** `byId` is read again when events are appended. */
  constructor(sphereId: SphereId, byId: ReadonlyMap<EventId, SignedEvent>) {
    this.#byId = byId;
    this.#hasGenesis = byId.has(sphereId as string as EventId);
    const sorted = [...byId.values()].sort(compareEvents);
    for (const event of sorted) this.#place(event);
    for (const event of this.ordered) this.#check(event);
    for (const events of groupByDevice(this.ordered).values()) this.#findSeen(events);
  }

  /** Adds the newest event of a device that stands after all others. */
  append(event: SignedEvent): void {
    this.#place(event);
    if (this.position(event.id) === undefined) return;
    this.#check(event);
    this.#findSeen([event]);
  }

  /** What stands after the place of an event that is not here, the first one first. */
  beyond(event: SignedEvent): readonly SignedEvent[] {
    let from = this.ordered.length;
    for (let before = this.ordered[from - 1]; before !== undefined && compareEvents(event, before) < 0;) {
      from -= 1;
      before = this.ordered[from - 1];
    }
    return this.ordered.slice(from);
  }

  /** Takes the last events away, to be appended again behind another one. False, and nothing is done, when it cannot. */
  takeLast(events: readonly SignedEvent[]): boolean {
    const newestFirst = events.toReversed();
    const counts = new Map<DeviceKey, number>();
    for (const event of newestFirst) {
      const { device } = event.header;
      const count = counts.get(device) ?? 0;
      // What was seen is taken back along each device's own chain.
      if (this.#chains.get(device)?.at(-1 - count)?.event !== event) return false;
      counts.set(device, count + 1);
    }
    for (const { id, header } of newestFirst) {
      this.#seenByDevice.set(header.device, this.#chains.get(header.device)?.pop()?.seenBefore ?? -1);
      this.#position.delete(id);
      this.#seen.delete(id);
      this.held.delete(id);
      this.broken.delete(id);
    }
    this.ordered.length -= events.length;
    this.nextLamport = (this.ordered.at(-1)?.header.lamport ?? -1) + 1;
    return true;
  }

  /** Place in `ordered`; undefined for events that wait because of their time. */
  position(id: EventId): number | undefined {
    return this.#position.get(id);
  }

  isBefore(id: EventId, other: EventId): boolean {
    return (this.position(id) ?? Infinity) < (this.position(other) ?? -1);
  }

  /**
   * Position of the newest membership event that the author had seen: the event's own reference or that of any
   * earlier event of the same device, so that nobody can go back behind what they once acknowledged. Nothing behind the
   * event's own place is among it.
   */
  seen(id: EventId): number {
    return this.#seen.get(id) ?? -1;
  }

  /** The same for whatever a device says next, without that event's own reference. */
  seenBy(device: DeviceKey): number {
    return this.#seenByDevice.get(device) ?? -1;
  }

  #place(event: SignedEvent): void {
    if (!this.#hasGenesis) {
      this.held.set(event.id, 'genesis-missing');
    } else if (event.header.lamport > this.nextLamport + MAX_LAMPORT_STEP) {
      this.held.set(event.id, 'lamport-ahead');
      this.isWaitingForTime = true;
    } else {
      this.#position.set(event.id, this.ordered.length);
      this.ordered.push(event);
      this.nextLamport = event.header.lamport + 1;
    }
  }

  #check(event: SignedEvent): void {
    const { membership, previous, lamport } = event.header;
    if (membership !== null) {
      const reference = this.#byId.get(membership);
      if (reference === undefined || this.held.has(membership)) this.held.set(event.id, 'membership-missing');
      else if (reference.header.lamport >= lamport) this.broken.add(event.id);
    }
    const before = previous === null ? undefined : this.#byId.get(previous);
    if (before !== undefined && !follows(event, before)) this.broken.add(event.id);
  }

  /** `events` of one device, by sequence. */
  #findSeen(events: readonly SignedEvent[]): void {
    for (const event of events) {
      const { device, membership } = event.header;
      const seenBefore = this.#seenByDevice.get(device) ?? -1;
      const chain = this.#chains.get(device) ?? [];
      chain.push({ event, seenBefore });
      this.#chains.set(device, chain);
      if (this.held.has(event.id)) continue;
      const own = membership === null ? -1 : (this.#position.get(membership) ?? -1);
      const seen = Math.max(own, seenBefore);
      this.#seenByDevice.set(device, seen);
      // A word that contradicts this one may stand behind it: it must not make its author know of their own removal in time.
      this.#seen.set(event.id, Math.min(seen, (this.#position.get(event.id) ?? 0) - 1));
    }
  }
}

function follows(event: SignedEvent, before: SignedEvent): boolean {
  return (
    before.header.device === event.header.device &&
    before.header.sequence === event.header.sequence - 1 &&
    before.header.lamport < event.header.lamport
  );
}

function groupByDevice(events: readonly SignedEvent[]): Map<DeviceKey, SignedEvent[]> {
  const groups = new Map<DeviceKey, SignedEvent[]>();
  for (const event of events) {
    const group = groups.get(event.header.device);
    if (group === undefined) groups.set(event.header.device, [event]);
    else group.push(event);
  }
  for (const group of groups.values())
    group.sort((a, b) => a.header.sequence - b.header.sequence || compareEvents(a, b));
  return groups;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
