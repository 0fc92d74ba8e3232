import type { EventId } from '../../base/id.ts';
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

/** Events that count as never made because of another one, as long as that one counts itself. */
export class Voids {
  /** In the order in which they were found. */
  #all = new Map<EventId, Void>();

  get size(): number {
    return this.#all.size;
  }

  reason(id: EventId): RefusalReason | undefined {
    return this.#all.get(id)?.reason;
  }

  add(id: EventId, reason: RefusalReason, by: EventId): void {
    this.#all.set(id, { reason, by });
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
    return false;
  }
}
