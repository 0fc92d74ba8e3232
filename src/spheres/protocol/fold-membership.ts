import type { EventId } from '../../base/id.ts';
import { Membership } from './membership.ts';
import type { MembershipInput } from './membership-input.ts';
import type { StructuralEvent } from './member-record.ts';
import { isStructural } from './member-record.ts';
import { Voids } from './voids.ts';

/**
 * Who is in the sphere, folded over its structural events. When a decision turns out to be void because of a later
 * one, the fold starts again without it: each round excludes at least one more event, or one for good, so it ends.
 */
export function foldMembership(given: Omit<MembershipInput, 'structural' | 'successions'>): Membership {
  // Among ever so many lines; each round looks at these alone.
  const structural = given.order.ordered.filter(isStructural);
  const input = { ...given, structural, successions: successionsIn(structural) };
  const voids = new Voids(input);
  for (;;) {
    const membership = new Membership(input, voids);
    if (membership.run() && voids.settle(membership)) return membership;
  }
}

function successionsIn(structural: readonly StructuralEvent[]): Map<EventId, EventId[]> {
  const byVote = new Map<EventId, EventId[]>();
  for (const event of structural) {
    if (event.type !== 'succeed') continue;
    for (const vote of new Set(event.body.votes)) {
      const known = byVote.get(vote);
      if (known === undefined) byVote.set(vote, [event.id]);
      else known.push(event.id);
    }
  }
  return byVote;
}
