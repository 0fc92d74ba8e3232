import type { EventId, ItemId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { LogOrder } from './log-order.ts';
import type { StructuralEvent } from './member-record.ts';
import { isStructural, RANK } from './member-record.ts';
import type { Membership, Standing } from './membership.ts';
import type { SphereEpoch, SphereItem, TimelineEntry } from './sphere-state.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPTED, refused } from './verdict.ts';

type ContentEvent = Exclude<SignedEvent, StructuralEvent>;

/** What each kind of content needs; types this version does not know are for later versions to judge. */
const NEEDS: Record<ContentEvent['type'], number> = {
  message: RANK.viewer,
  unknown: RANK.viewer,
  malformed: RANK.viewer,
  item: RANK.member,
  rename: RANK.admin,
  epoch: RANK.admin,
};

interface RankedEpoch {
  readonly epoch: SphereEpoch;
  readonly isOwners: boolean;
  readonly seen: number;
}

/** What was shared, said and named, folded in canonical order over a settled membership. */
export class Content {
  readonly verdicts = new Map<EventId, Verdict>();
  readonly timeline: TimelineEntry[] = [];
  readonly items = new Map<ItemId, SphereItem>();
  readonly epochs: SphereEpoch[] = [];
  name = '';
  #current: RankedEpoch | null = null;
  #highestEpoch = -1;
  readonly #membership: Membership;
  readonly #order: LogOrder;

  constructor(deps: { membership: Membership; order: LogOrder }) {
    this.#membership = deps.membership;
    this.#order = deps.order;
  }

  get currentEpoch(): SphereEpoch | null {
    return this.#current?.epoch ?? null;
  }

  get isEpochDue(): boolean {
    const seen = this.#current?.seen ?? -1;
    return this.#current === null || this.#membership.ends.some((end) => end > seen);
  }

  /** Events come in canonical order. */
  apply(event: SignedEvent): void {
    if (isStructural(event)) this.#tell(event);
    else this.verdicts.set(event.id, this.#judge(event));
  }

  #tell(event: SignedEvent): void {
    if (!isStructural(event) || event.type === 'device') return;
    if (this.#membership.verdicts.get(event.id)?.kind !== 'accepted') return;
    if (event.type === 'genesis') this.name = event.body.name;
    this.timeline.push({ kind: 'membership', id: event.id, event });
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
        this.#addItem(event, standing);
        return ACCEPTED;
      case 'message':
        this.timeline.push({ kind: 'message', id: event.id, event, jid });
        return ACCEPTED;
      case 'rename':
        this.name = event.body.name;
        this.timeline.push({ kind: 'membership', id: event.id, event });
        return ACCEPTED;
      case 'epoch':
        return this.#addEpoch(event, standing);
      case 'unknown':
        return ACCEPTED;
      case 'malformed':
        return refused('malformed');
    }
  }

  #addItem(event: KnownEvent<'item'>, standing: Standing): void {
    const seen = this.#order.seen(event.id);
    const position = this.#order.position(event.id) ?? -1;
    const id = event.id as string as ItemId;
    const needsNewKey = this.#membership.ends.some((end) => end > seen && end < position);
    const item: SphereItem = { id, event, jid: standing.record.jid, replacedBy: null, needsNewKey };
    this.items.set(id, item);
    this.timeline.push({ kind: 'item', ...item });
    const old = event.body.replaces === null ? undefined : this.items.get(event.body.replaces as string as ItemId);
    // Only who shared it can say what its new version is.
    if (old !== undefined && old.event.header.person === event.header.person) {
      this.items.set(old.id, { ...old, replacedBy: id });
    }
  }

  #addEpoch(event: KnownEvent<'epoch'>, standing: Standing): Verdict {
    const { number, commitment, reason } = event.body;
    // Two may start the same epoch at once, nobody may skip ahead.
    if (number > this.#highestEpoch + 1) return refused('wrong-epoch');
    const epoch = { id: event.id, number, commitment, reason };
    const candidate = { epoch, isOwners: standing.rank === RANK.owner, seen: this.#order.seen(event.id) };
    this.#highestEpoch = Math.max(this.#highestEpoch, number);
    this.epochs.push(epoch);
    if (this.#current === null || isStronger(candidate, this.#current)) this.#current = candidate;
    return ACCEPTED;
  }
}

/** The higher number, then the owner's, then the earlier one, which is the current one already. */
function isStronger(candidate: RankedEpoch, current: RankedEpoch): boolean {
  if (candidate.epoch.number !== current.epoch.number) return candidate.epoch.number > current.epoch.number;
  return candidate.isOwners && !current.isOwners;
}
