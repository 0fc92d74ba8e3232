import type { DeviceKey, EventId, ItemId, PersonId, SphereId } from '../../base/id.ts';
import { Annotations } from './annotations.ts';
import type { ItemEvent, KnownEvent, SignedEvent } from './event.ts';
import { isItemEvent } from './event.ts';
import { KnownEnds } from './known-ends.ts';
import type { LogOrder } from './log-order.ts';
import type { StructuralEvent } from './member-record.ts';
import { isStructural, RANK } from './member-record.ts';
import { MovedRooms } from './moved-rooms.ts';
import type { Membership, Standing } from './membership.ts';
import type { SphereEpoch, SphereItem, TimelineEntry } from './sphere-state.ts';
import { Timeline } from './timeline.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPTED, refused } from './verdict.ts';

type ContentEvent = Exclude<SignedEvent, StructuralEvent>;

/** What each kind of content needs; types this version does not know are for later versions to judge. */
const NEEDS: Record<ContentEvent['type'], number> = {
  message: RANK.viewer,
  part: RANK.viewer,
  unknown: RANK.viewer,
  malformed: RANK.viewer,
  item: RANK.member,
  torrent: RANK.member,
  rename: RANK.admin,
  picture: RANK.admin,
  room: RANK.admin,
  epoch: RANK.admin,
  read: RANK.viewer,
  reaction: RANK.viewer,
  edit: RANK.viewer,
  retract: RANK.viewer,
  introduce: RANK.viewer,
  continued: RANK.viewer,
  continues: RANK.owner,
};

interface RankedEpoch {
  readonly epoch: SphereEpoch;
  readonly isOwners: boolean;
}

/** What stood at one moment. */
export interface ContentSnapshot {
  items(): ReadonlyMap<ItemId, SphereItem>;
  timeline(): readonly TimelineEntry[];
  readonly epochs: readonly SphereEpoch[];
}

/** Content that changes nothing but the timeline, or that counts the same however often it is applied. */
const LINES: ReadonlySet<string> = new Set(['message', 'part', 'read', 'unknown', 'malformed']);

/** What was shared, said and named, folded in canonical order over a settled membership. */
export class Content {
  /** Of what is not accepted. */
  readonly verdicts = new Map<EventId, Verdict>();
  readonly annotations = new Annotations();
  /** The sphere that this one goes on from; null = it was new. */
  continues: SphereId | null = null;
  /** Spheres that this one goes on in, and who said so. */
  readonly continued = new Map<SphereId, KnownEvent<'continued'>>();
  /** Whom each person says to know. */
  readonly introduced = new Map<PersonId, Set<PersonId>>();
  name = '';
  /** What shows the sphere; null while nothing does. */
  picture: KnownEvent<'picture'> | null = null;
  readonly #rooms = new MovedRooms();
  readonly #timeline = new Timeline();
  #items = new Map<ItemId, SphereItem>();
  readonly #epochs: SphereEpoch[] = [];
  readonly #epochsInForce = new Set<EventId>();
  /** Whether somebody holds the items of this moment: then they are not changed any more. */
  #areItemsHandedOut = false;
  #itemsRevision = 0;
  #current: RankedEpoch | null = null;
  #highestEpoch = -1;
  readonly #membership: Membership;
  readonly #order: LogOrder;
  readonly #knownEnds: KnownEnds;

  constructor(deps: { membership: Membership; order: LogOrder }) {
    this.#membership = deps.membership;
    this.#order = deps.order;
    this.#knownEnds = new KnownEnds({ order: deps.order, ends: deps.membership.ends });
  }

  /** What moved the sphere to the room that it is in; null while it is in its first one. */
  get moved(): KnownEvent<'room'> | null {
    return this.#rooms.newest;
  }

  get currentEpoch(): SphereEpoch | null {
    return this.#current?.epoch ?? null;
  }

  get isEpochDue(): boolean {
    return this.#current === null || this.#knownEnds.lacksOne(this.#current.epoch.id);
  }

  /**
   * What the next epoch of a device refers to as membership event: the newest end that would not be among its ancestors
   * otherwise. Only for whom may not begin one there it is the newest event, which tells less of what the author knows.
   */
  membershipForEpoch(device: DeviceKey): EventId | null {
    const { newest } = this.#membership;
    const lacked = this.#knownEnds.newestUnnamed(device, this.#highestEpoch);
    return lacked !== undefined && this.#mayBeginEpoch(device, lacked) ? lacked : newest;
  }

  /** Whether an epoch of this device is in force that refers to this event. */
  #mayBeginEpoch(device: DeviceKey, membership: EventId): boolean {
    const { certificates, joined } = this.#membership;
    const seen = Math.max(this.#order.position(membership) ?? -1, this.#order.seenBy(device));
    const person = certificates.personOf(device);
    const record = person === undefined ? undefined : joined.at(seen, person);
    if (record === undefined || RANK[record.role] < NEEDS.epoch) return false;
    // A cut behind that place judges whatever comes now.
    return record.span?.cuts.every(({ position }) => position <= seen) === true;
  }

  /** As of now: what is applied later does not change it. Nothing is copied until it is asked for. */
  snapshot(): ContentSnapshot {
    const timeline = this.#timeline.picture();
    const revision = this.#itemsRevision;
    let items: ReadonlyMap<ItemId, SphereItem> | undefined;
    const itemsThen = (): ReadonlyMap<ItemId, SphereItem> => {
      items ??= revision === this.#itemsRevision ? this.#handOutItems() : itemsOf(timeline());
      return items;
    };
    const timelineThen = (): readonly TimelineEntry[] =>
      timeline().map((entry) => (entry.kind === 'item' ? { ...entry, ...itemsThen().get(entry.id) } : entry));
    return { items: itemsThen, timeline: timelineThen, epochs: [...this.#epochs] };
  }

  /** Events come in canonical order. */
  apply(event: SignedEvent): void {
    this.#knownEnds.add(event);
    if (isStructural(event)) return this.#tell(event);
    const verdict = this.#judge(event);
    if (verdict.kind !== 'accepted') this.verdicts.set(event.id, verdict);
  }

  /** Takes the last events back, to be applied again behind another one. False when they left more than lines. */
  takeLast(events: readonly SignedEvent[]): boolean {
    if (!events.every(leavesOneLine)) return false;
    if (events.length === 0) return true;
    if (events.some((event) => isItemEvent(event))) this.#changeItems();
    for (const event of events.toReversed()) {
      this.#knownEnds.takeBack(event);
      this.verdicts.delete(event.id);
      if (this.#timeline.last?.id !== event.id) continue;
      this.#timeline.pop();
      if (isItemEvent(event)) this.#items.delete(event.id as string as ItemId);
    }
    return true;
  }

  #handOutItems(): ReadonlyMap<ItemId, SphereItem> {
    this.#areItemsHandedOut = true;
    return this.#items;
  }

  #changeItems(): void {
    if (this.#areItemsHandedOut) this.#items = new Map(this.#items);
    this.#areItemsHandedOut = false;
    this.#itemsRevision += 1;
  }

  #tell(event: SignedEvent): void {
    if (!isStructural(event) || event.type === 'device' || event.type === 'device-end') return;
    if (this.#membership.verdicts.get(event.id)?.kind !== 'accepted') return;
    if (event.type === 'genesis') this.name = event.body.name;
    this.#timeline.push({ kind: 'membership', id: event.id, event });
  }

  #judge(event: ContentEvent): Verdict {
    const obstacle = this.#membership.obstacle(event);
    if (obstacle !== null) return obstacle;
    const standing = this.#membership.standing(event);
    if (typeof standing === 'string') return refused(standing);
    if (standing.rank < NEEDS[event.type]) return refused('not-allowed');
    return this.#accept(event, standing);
  }

  #accept(event: ContentEvent, standing: Standing): Verdict {
    const { jid } = standing.record;
    switch (event.type) {
      case 'item':
      case 'torrent':
        this.#addItem(event, standing);
        return ACCEPTED;
      case 'message':
        this.#timeline.push({ kind: 'message', id: event.id, event, jid });
        return ACCEPTED;
      case 'rename':
        this.name = event.body.name;
        this.#timeline.push({ kind: 'membership', id: event.id, event });
        return ACCEPTED;
      case 'picture':
        this.picture = event.body.sha256 === null ? null : event;
        this.#timeline.push({ kind: 'membership', id: event.id, event });
        return ACCEPTED;
      case 'room':
        this.#rooms.add(event, standing.rank === RANK.owner);
        this.#timeline.push({ kind: 'membership', id: event.id, event });
        return ACCEPTED;
      case 'epoch':
        return this.#addEpoch(event, standing);
      case 'read':
      case 'reaction':
      case 'edit':
      case 'retract':
        this.annotations.add(event, standing.rank >= RANK.admin);
        return ACCEPTED;
      case 'introduce':
        this.#introduce(event);
        return ACCEPTED;
      case 'continued':
        // Rule 14: where admins decide, nobody goes on elsewhere for all.
        if (this.#membership.joined.has(this.#order.seen(event.id), 'admin')) return refused('not-allowed');
        this.continued.set(event.body.sphere, event);
        return ACCEPTED;
      case 'continues':
        this.continues ??= event.body.sphere;
        return ACCEPTED;
      case 'part':
      case 'unknown':
        return ACCEPTED;
      case 'malformed':
        return refused('malformed');
    }
  }

  #addItem(event: ItemEvent, standing: Standing): void {
    const id = event.id as string as ItemId;
    // What strangers have is behind no key.
    const isKept = event.type === 'item';
    const { epoch } = event.body;
    const isUnderRefused = epoch !== null && !this.#epochsInForce.has(epoch);
    const needsNewKey = isKept && (isUnderRefused || this.#knownEnds.lacksOneBefore(event));
    const item: SphereItem = { id, event, jid: standing.record.jid, replacedBy: null, needsNewKey };
    this.#changeItems();
    addItem(this.#items, item);
    this.#timeline.push({ kind: 'item', ...item });
  }

  /** The last word of each about each holds. */
  #introduce({ header, body }: KnownEvent<'introduce'>): void {
    const known = this.introduced.get(header.person) ?? new Set();
    if (body.isKnown) known.add(body.person);
    else known.delete(body.person);
    this.introduced.set(header.person, known);
  }

  #addEpoch(event: KnownEvent<'epoch'>, standing: Standing): Verdict {
    const { number, commitment, reason } = event.body;
    // Two may start the same epoch at once, nobody may skip ahead.
    if (number > this.#highestEpoch + 1) return refused('wrong-epoch');
    const epoch = { id: event.id, number, commitment, reason };
    const candidate = { epoch, isOwners: standing.rank === RANK.owner };
    this.#knownEnds.addEpoch(event);
    this.#highestEpoch = Math.max(this.#highestEpoch, number);
    this.#epochs.push(epoch);
    this.#epochsInForce.add(epoch.id);
    if (this.#current === null || isStronger(candidate, this.#current)) this.#current = candidate;
    return ACCEPTED;
  }
}

function leavesOneLine(event: SignedEvent): boolean {
  return LINES.has(event.type) || (isItemEvent(event) && event.body.replaces === null);
}

function itemsOf(timeline: readonly TimelineEntry[]): Map<ItemId, SphereItem> {
  const items = new Map<ItemId, SphereItem>();
  for (const entry of timeline) {
    if (entry.kind !== 'item') continue;
    const { kind: _kind, ...item } = entry;
    addItem(items, item);
  }
  return items;
}

function addItem(items: Map<ItemId, SphereItem>, item: SphereItem): void {
  items.set(item.id, item);
  const { replaces } = item.event.body;
  const old = replaces === null ? undefined : items.get(replaces as string as ItemId);
  // Only who shared it can say what its new version is.
  if (old !== undefined && old.event.header.person === item.event.header.person) {
    items.set(old.id, { ...old, replacedBy: item.id });
  }
}

/** The higher number, then the owner's, then the earlier one, which is the current one already. */
function isStronger(candidate: RankedEpoch, current: RankedEpoch): boolean {
  if (candidate.epoch.number !== current.epoch.number) return candidate.epoch.number > current.epoch.number;
  return candidate.isOwners && !current.isOwners;
}
