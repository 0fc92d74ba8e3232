import type { EventId, PersonId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';
import type { MembershipInput } from './membership-input.ts';
import type { RefusalReason, Verdict } from './verdict.ts';

interface Void {
  readonly reason: RefusalReason;
  /** What it is void because of; null = for good. */
  readonly by: EventId | null;
}

interface Folded {
  readonly verdicts: ReadonlyMap<EventId, Verdict>;
  counts(id: EventId): boolean;
}

/** Nobody who means well takes the sphere once in a way that defeats itself; each costs a fold of its own. */
const MAX_DEFEATED = 4;

/** Events that count as never made because of another one, as long as that one counts itself. */
export class Voids {
  readonly #input: Pick<MembershipInput, 'byId' | 'order'>;
  /** Places of what would have given the sphere to somebody and defeated itself, by its author. */
  readonly #defeated = new Map<PersonId, number[]>();
  /** In the order in which they were found. */
  #all = new Map<EventId, Void>();

  constructor(input: Pick<MembershipInput, 'byId' | 'order'>) {
    this.#input = input;
  }

  get size(): number {
    return this.#all.size;
  }

  reason(id: EventId): RefusalReason | undefined {
    return this.#all.get(id)?.reason;
  }

  add(id: EventId, reason: RefusalReason, by: EventId): void {
    if (!this.#all.has(id)) this.#all.set(id, { reason, by });
  }

  /** Whether its author has tried too often before to take the sphere in a way that defeats itself. */
  isSpent({ id, header }: SignedEvent): boolean {
    const position = this.#input.order.position(id) ?? 0;
    const before = (this.#defeated.get(header.person) ?? []).filter((place) => place < position);
    return before.length >= MAX_DEFEATED;
  }

  /**
   * Once nothing more is found: lifts what an event had voided that does not count itself, because of a later one or
   * because it took away what it rests on, and all that was found since. False when there was such an event.
   */
  settle(folded: Folded): boolean {
    const found = [...this.#all];
    const groundless = found.findLast(([, { by }]) => by !== null && !folded.counts(by))?.[1].by ?? null;
    if (groundless === null) return true;
    const from = found.findIndex(([, { by }]) => by === groundless);
    const verdict = folded.verdicts.get(groundless);
    this.#all = new Map(found.filter(([, { by }], index) => index < from || by === null));
    // Otherwise both would be found again and again.
    this.#all.set(groundless, { reason: verdict?.kind === 'refused' ? verdict.reason : 'overruled', by: null });
    this.#noteDefeated(groundless);
    return false;
  }

  #noteDefeated(id: EventId): void {
    const { byId, order } = this.#input;
    const event = byId.get(id);
    if (event?.type !== 'accept' && event?.type !== 'succeed') return;
    const { person } = event.header;
    this.#defeated.set(person, [...(this.#defeated.get(person) ?? []), order.position(id) ?? 0]);
  }
}
