import type { Audience } from './audience.ts';
import { encodeEnvelope } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { membershipEntries } from './protocol/invitation.ts';
import type { Sphere } from './sphere.ts';

/** Somebody whom the room does not reach, or not any more. */
export type Alone = Extract<Audience, { kind: 'known' | 'account' }>;

/** Tells them an event with everything it takes to judge it. Without devices there is nobody to tell. */
export function tellAlone(sphere: Sphere, event: SignedEvent, audience: Alone): void {
  if (audience.kind === 'known' && audience.devices.length === 0) return;
  const envelope = encodeEnvelope(membershipEntries(sphere.log, event));
  sphere.enqueueEnvelope(event.id, envelope, audience.jid, { audience });
}
