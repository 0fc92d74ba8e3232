import type { BareJid, EventId } from '../../base/id.ts';
import { RANK } from './member-record.ts';

/** A decision about an account, taken by someone with authority over it. */
export interface Decision {
  readonly id: EventId;
  readonly jid: BareJid;
  readonly kind: 'invite' | 'role' | 'remove';
  /** The author's rank when deciding. */
  readonly rank: number;
  readonly position: number;
  /** Position of the newest membership event the author had seen. */
  readonly seen: number;
}

export type Weighed =
  /** `voids` are removals that count as never made. */
  { readonly kind: 'stands'; readonly voids: readonly EventId[] } | { readonly kind: 'overruled' };

/**
 * Settles decisions about one account whose authors did not know of each other:
 * owner over admin, removal over addition, the rest in canonical order.
 */
export class Decisions {
  readonly #taken = new Map<BareJid, Decision[]>();

  weigh(decision: Decision): Weighed {
    const voids: EventId[] = [];
    for (const other of this.#unseenBy(decision)) {
      const isOwners = decision.rank === RANK.owner;
      const isOthersOwner = other.rank === RANK.owner;
      // Two invitations do not contradict each other: either may be answered.
      if (other.kind === 'invite' && decision.kind === 'invite') continue;
      if (isOthersOwner && !isOwners) return { kind: 'overruled' };
      if (other.kind !== 'remove' || decision.kind === 'remove') continue;
      if (isOthersOwner === isOwners) return { kind: 'overruled' };
      voids.push(other.id);
    }
    return { kind: 'stands', voids };
  }

  /** Whether an invitation at the same time, and of no lower rank, has set the role already. */
  isRoleSettled(decision: Decision): boolean {
    return this.#unseenBy(decision).some(
      (other) => other.kind === 'invite' && (other.rank === RANK.owner || decision.rank !== RANK.owner),
    );
  }

  add(decision: Decision): void {
    this.#taken.set(decision.jid, [...(this.#taken.get(decision.jid) ?? []), decision]);
  }

  /** An account goes on under another address: what was decided about it goes along. */
  move(from: BareJid, to: BareJid): void {
    const both = [...(this.#taken.get(to) ?? []), ...(this.#taken.get(from) ?? [])];
    this.#taken.set(
      to,
      both.toSorted((a, b) => a.position - b.position),
    );
    this.#taken.delete(from);
  }

  #unseenBy(decision: Decision): Decision[] {
    return (this.#taken.get(decision.jid) ?? []).filter((other) => other.position > decision.seen);
  }
}
