import type { BareJid, DeviceKey, EventId, PersonId, SphereId } from '../../base/id.ts';
import type { Annotations } from './annotations.ts';
import { isCertifiedByPerson } from './certificate.ts';
import { Content } from './content.ts';
import { Followers } from './followers.ts';
import type { EventInput, KnownType, LastAccepted } from './event-body.ts';
import type { Author, EventHeader, KnownEvent, SignedEvent } from './event.ts';
import { buildEvent, sphereOf } from './event.ts';
import type { DeviceLine, MissingRange, Tip } from './gaps.ts';
import { chainEnd, findMissing, headsOf, tipsOf } from './gaps.ts';
import { LogOrder, MAX_LAMPORT_STEP, compareEvents } from './log-order.ts';
import { isStructural } from './member-record.ts';
import type { Membership } from './membership.ts';
import type { Ownership } from './ownership.ts';
import { foldMembership } from './fold-membership.ts';
import type { Heads, SphereState } from './sphere-state.ts';
import { describeState } from './describe-state.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPTED, refused } from './verdict.ts';

export type AddResult = 'new' | 'known' | 'held' | 'refused';

export interface SphereLogDeps {
  readonly sphereId: SphereId;
  /** Whether the OMEMO identity key that a certificate names signed it; see `isProvenByIdentity`. Asked once per event. */
  readonly isDeviceProven: (event: KnownEvent<'device'>) => boolean;
}

/** What somebody lacks: events of devices by their sequence, and events by their id. */
export interface Missing {
  readonly ranges: readonly MissingRange[];
  readonly ids: readonly EventId[];
}

interface Fold {
  readonly order: LogOrder;
  /** By whom the membership was judged, where people contradict each other. */
  readonly followers: Followers;
  readonly membership: Membership;
  readonly content: Content;
}

/** The events of one sphere: takes them in any order and computes what they amount to. */
export class SphereLog {
  readonly sphereId: SphereId;
  readonly #isDeviceProven: SphereLogDeps['isDeviceProven'];
  readonly #byId = new Map<EventId, SignedEvent>();
  readonly #lines = new Map<DeviceKey, DeviceLine>();
  /** Events that others here name, and that are not here. */
  readonly #absent = new Set<EventId>();
  readonly #certified = new Map<EventId, boolean>();
  #fold: Fold | null = null;
  #state: SphereState | null = null;
  /** So many lines may still be taken away and put behind an earlier one: folding everything anew would take no longer. */
  #lateLeft = 0;

  constructor(deps: SphereLogDeps) {
    this.sphereId = deps.sphereId;
    this.#isDeviceProven = deps.isDeviceProven;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** `refused` events are kept too, as long as they are of this sphere: what arrives later may change the verdict. */
  add(event: SignedEvent): AddResult {
    return this.addAll([event])[0] ?? 'refused';
  }

  /** Adds many events and judges them once, in their order. */
  addAll(events: readonly SignedEvent[]): readonly AddResult[] {
    this.#lateLeft = Math.max(MIN_LATE, this.#byId.size / 4);
    const fresh = events.map(
      (event) => sphereOf(event) === this.sphereId && !this.#byId.has(event.id) && this.#store(event),
    );
    return events.map((event, index) => {
      const { kind } = this.verdict(event.id) ?? refused('other-sphere');
      if (kind === 'accepted') return fresh[index] === true ? 'new' : 'known';
      return fresh[index] === true || !this.#byId.has(event.id) ? kind : 'known';
    });
  }

  /** As if the events had never come. */
  forget(ids: readonly EventId[]): void {
    if (ids.filter((id) => this.#byId.delete(id)).length === 0) return;
    const rest = [...this.#byId.values()];
    this.#lines.clear();
    this.#absent.clear();
    for (const event of rest) this.#note(event);
    this.#fold = null;
    this.#state = null;
  }

  has(id: EventId): boolean {
    return this.#byId.has(id);
  }

  get(id: EventId): SignedEvent | undefined {
    return this.#byId.get(id);
  }

  /** undefined for an event that is not here. */
  verdict(id: EventId): Verdict | undefined {
    if (!this.#byId.has(id)) return undefined;
    const { order, membership, content } = this.#folded();
    const held = order.held.get(id);
    if (held !== undefined) return { kind: 'held', reason: held };
    return membership.verdicts.get(id) ?? content.verdicts.get(id) ?? ACCEPTED;
  }

  /** A picture of this moment: it does not change when events are added. */
  state(): SphereState {
    this.#state ??= describeState({ ...this.#folded(), sphereId: this.sphereId, lines: this.#lines });
    return this.#state;
  }

  /** Who wants the sphere to go to whom, as it is now. */
  get ownership(): Ownership {
    return this.#folded().membership.ownership;
  }

  /** Who has proven that the device is theirs, whether they are a member or not. */
  certifiedFor(device: DeviceKey): PersonId | undefined {
    return this.#folded().membership.certificates.personOf(device);
  }

  /** Whom each person says to know, as it is now. */
  get introduced(): ReadonlyMap<PersonId, ReadonlySet<PersonId>> {
    return this.#folded().content.introduced;
  }

  /** The sphere that this one goes on from, and those that it goes on in. */
  get continuation(): Pick<Content, 'continues' | 'continued'> {
    return this.#folded().content;
  }

  /** The room that the sphere is in, as it is now; undefined while its beginning is not here. */
  get room(): BareJid | undefined {
    const { membership, content } = this.#folded();
    return content.moved?.body.room ?? membership.genesis?.body.room;
  }

  /** What moved the sphere to the room that it is in; null while it is in its first one. */
  get moved(): KnownEvent<'room'> | null {
    return this.#folded().content.moved;
  }

  /** What shows the sphere, as it is now; null while nothing does. */
  get picture(): KnownEvent<'picture'> | null {
    return this.#folded().content.picture;
  }

  /** What was done to messages and how far they were read, as it is now. */
  get annotations(): Annotations {
    return this.#folded().content.annotations;
  }

  /** The last number of a device's events up to which none is missing, counted from `known` on; -1 = none is here. */
  unbrokenEnd(device: DeviceKey, known = -1): number {
    const line = this.#lines.get(device);
    let end = known;
    while (line?.bySequence.has(end + 1) === true) end += 1;
    return end;
  }

  /** The newest event of each device. */
  heads(): Heads {
    return headsOf(this.#lines);
  }

  /** What to tell others of what is here; of devices that anybody may have made up, only so many. */
  tips(): readonly Tip[] {
    const { accounts } = this.#folded().membership.book;
    const isOfMember = (id: EventId): boolean => {
      const person = this.#byId.get(id)?.header.person;
      return this.verdict(id)?.kind === 'accepted' && person !== undefined && accounts.has(person);
    };
    return tipsOf(this.#lines, (device) => this.#lines.get(device)?.bySequence.get(0)?.some(isOfMember) === true);
  }

  /** What to ask for: gaps, events that others name, and whatever somebody who tells of `remote` has beyond ours. */
  missing(remote: readonly Tip[] = []): Missing {
    return { ranges: findMissing(this.#lines, remote), ids: [...this.#absent] };
  }

  /** Everything, in the order that is the same for all members. */
  events(): readonly SignedEvent[] {
    const { order } = this.#folded();
    // What waits for its time, or for the beginning, stands after all others.
    const unplaced = [...order.held.keys()].flatMap((id) =>
      order.position(id) === undefined ? (this.#byId.get(id) ?? []) : [],
    );
    return [...order.ordered, ...unplaced.sort(compareEvents)];
  }

  /** What is here of what somebody asks for, in canonical order. */
  select({ ranges, ids }: Missing): readonly SignedEvent[] {
    const wanted = new Set(ids);
    for (const { device, from, to } of ranges) {
      const line = this.#lines.get(device);
      if (line === undefined) continue;
      for (let sequence = from; sequence <= Math.min(to, line.highest); sequence += 1) {
        for (const id of line.bySequence.get(sequence) ?? []) wanted.add(id);
      }
    }
    return [...wanted].flatMap((id) => this.#byId.get(id) ?? []).sort(compareEvents);
  }

  /**
   * The line that a removal or a lowered role draws through a person's events: for each device the end of its unbroken
   * chain. An event after a gap is never the line, or the gap could be filled later with what should be beyond it.
   */
  lastAccepted(person: PersonId): LastAccepted {
    const lines: LastAccepted = [];
    const { devices, endedDevices } = this.state();
    // What an ended device said before its end stays said when its person goes.
    const ended = [...endedDevices].flatMap(([device, owner]) => (owner === person ? [device] : []));
    const own = [...devices.values()].flatMap((entry) => (entry.person === person ? [entry.device] : []));
    for (const device of [...ended, ...own].slice(-MAX_LINES)) {
      const line = this.#lines.get(device);
      const end = line && chainEnd(line, (id) => this.#byId.get(id)?.header.previous ?? null);
      if (end !== undefined) lines.push({ device, ...end });
    }
    return lines;
  }

  /** The header of this device's next event. */
  nextHeader(device: DeviceKey, wallMs: number, type?: KnownType): Omit<EventHeader, 'person' | 'device' | 'type'> {
    const head = this.heads().get(device);
    const { newestMembership, nextLamport } = this.state();
    return {
      sphere: this.sphereId,
      sequence: head === undefined ? 0 : head.sequence + 1,
      previous: head?.hash ?? null,
      lamport: nextLamport,
      wallMs,
      membership: type === 'epoch' ? this.#folded().content.membershipForEpoch(device) : newestMembership,
    };
  }

  /** Builds this device's next event and adds it. */
  append<T extends KnownType>(author: Author, wallMs: number, type: T, body: EventInput<T>): KnownEvent<T> {
    const event = buildEvent(author, this.nextHeader(author.device.id, wallMs, type), type, body);
    this.add(event as SignedEvent);
    return event;
  }

  #store(event: SignedEvent): boolean {
    this.#state = null;
    const extendsFold = this.#canExtend(event);
    this.#byId.set(event.id, event);
    this.#note(event);
    const late = extendsFold && this.#fold !== null ? extend(this.#fold, event, this.#lateLeft) : undefined;
    if (late === undefined) this.#fold = null;
    else this.#lateLeft -= late;
    return true;
  }

  /** True for the newest content of a device that nothing here waits for. */
  #canExtend(event: SignedEvent): boolean {
    const order = this.#fold?.order;
    if (order === undefined || order.ordered.length === 0 || order.isWaitingForTime || isStructural(event))
      return false;
    const isInTime = event.header.lamport <= order.nextLamport + MAX_LAMPORT_STEP;
    const isNextOfDevice = event.header.sequence > (this.#lines.get(event.header.device)?.highest ?? -1);
    return isInTime && isNextOfDevice && !this.#absent.has(event.id);
  }

  #note(event: SignedEvent): void {
    this.#absent.delete(event.id);
    for (const id of namedBy(event)) if (!this.#byId.has(id)) this.#absent.add(id);
    const { device, sequence } = event.header;
    const line = this.#lines.get(device) ?? { highest: -1, bySequence: new Map(), forked: new Set() };
    const others = line.bySequence.get(sequence);
    line.bySequence.set(sequence, others === undefined ? [event.id] : [...others, event.id].sort());
    if (others !== undefined) line.forked.add(sequence);
    line.highest = Math.max(line.highest, sequence);
    this.#lines.set(device, line);
  }

  #folded(): Fold {
    if (this.#fold !== null) return this.#fold;
    const order = new LogOrder(this.sphereId, this.#byId);
    const followers = new Followers(order.ordered);
    const membership = foldMembership({
      sphereId: this.sphereId,
      order,
      followers,
      byId: this.#byId,
      isCertified: (event) => this.#isCertified(event),
    });
    const content = new Content({ membership, order });
    for (const event of order.ordered) content.apply(event);
    this.#fold = { order, followers, membership, content };
    return this.#fold;
  }

  #isCertified(event: KnownEvent<'device'>): boolean {
    const known = this.#certified.get(event.id);
    if (known !== undefined) return known;
    const isCertified = isCertifiedByPerson(event.body) && this.#isDeviceProven(event);
    this.#certified.set(event.id, isCertified);
    return isCertified;
  }
}

/** What a removal can name. */
const MAX_LINES = 32;
/** Of a short log this is less than all of it is worth. */
const MIN_LATE = 256;

/** Puts content in its place; how many lines are after it, undefined when they are too many or more than lines. */
function extend({ order, followers, content }: Fold, event: SignedEvent, maxLate: number): number | undefined {
  const later = order.beyond(event);
  const isBehindItself = later.some(({ header }) => header.device === event.header.device);
  if (later.length > maxLate || isBehindItself || !followers.add(event)) return undefined;
  if (!content.takeLast(later) || !order.takeLast(later)) return undefined;
  for (const one of [event, ...later]) {
    order.append(one);
    content.apply(one);
  }
  return later.length;
}

/** The events that must be here before this one can be judged for good. */
function namedBy(event: SignedEvent): EventId[] {
  const { previous, membership } = event.header;
  const more = isStructural(event) ? [...linesOf(event).map((line) => line.hash), ...grounds(event)] : [];
  return [previous, membership, ...more].filter((id) => id !== null);
}

function linesOf(event: SignedEvent): LastAccepted {
  const drawsLine = ['remove', 'role', 'accept', 'succeed'].includes(event.type);
  return drawsLine ? (event as KnownEvent<'remove' | 'role' | 'accept' | 'succeed'>).body.lastAccepted : [];
}

/** What else it appeals to. */
function grounds(event: SignedEvent): readonly EventId[] {
  if (event.type === 'device-end') return event.body.last === null ? [] : [event.body.last.hash];
  if (event.type === 'accept') return [event.body.handover];
  return event.type === 'succeed' || event.type === 'object' ? event.body.votes : [];
}

/** The state of a set of events, whatever their order and however often they are given. */
export function computeState(deps: SphereLogDeps, events: readonly SignedEvent[]): SphereState {
  const log = new SphereLog(deps);
  log.addAll(events);
  return log.state();
}
