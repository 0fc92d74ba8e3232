import { Membership } from './membership.ts';
import type { MembershipInput } from './membership-input.ts';
import { Voids } from './voids.ts';

/**
 * Who is in the sphere, folded over its structural events. When a decision turns out to be void because of a later
 * one, the fold starts again without it: each round excludes at least one more event, or one for good, so it ends.
 */
export function foldMembership(input: MembershipInput): Membership {
  const voids = new Voids();
  for (;;) {
    const membership = new Membership(input, voids);
    if (membership.run() && voids.settle(membership)) return membership;
  }
}
