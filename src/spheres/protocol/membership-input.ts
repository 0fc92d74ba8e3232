import type { EventId, SphereId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { Followers } from './followers.ts';
import type { LogOrder } from './log-order.ts';
import type { StructuralEvent } from './member-record.ts';

/** What membership is folded from. */
export interface MembershipInput {
  readonly sphereId: SphereId;
  readonly order: LogOrder;
  /** What says who is in the sphere, in canonical order. */
  readonly structural: readonly StructuralEvent[];
  /** Every `succeed` that names a vote, by the vote. */
  readonly successions: ReadonlyMap<EventId, readonly EventId[]>;
  readonly followers: Followers;
  readonly byId: ReadonlyMap<EventId, SignedEvent>;
  /** Whether person key and OMEMO identity key both signed the certificate. */
  readonly isCertified: (event: KnownEvent<'device'>) => boolean;
}
