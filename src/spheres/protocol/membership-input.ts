import type { EventId, SphereId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { LogOrder } from './log-order.ts';

/** What membership is folded from. */
export interface MembershipInput {
  readonly sphereId: SphereId;
  readonly order: LogOrder;
  readonly byId: ReadonlyMap<EventId, SignedEvent>;
  /** Whether person key and OMEMO identity key both signed the certificate. */
  readonly isCertified: (event: KnownEvent<'device'>) => boolean;
}
