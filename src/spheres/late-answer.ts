import { isJoinedAs } from './hand-over.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/**
 * Of two devices of a person that answer an invitation at once one is refused, because its person is in already: it needs
 * log and keys all the same.
 */
export function isLateAnswer(sphere: Sphere, event: SignedEvent): event is KnownEvent<'join'> {
  if (event.type !== 'join' || sphere.state.refused.get(event.id) !== 'already-a-member') return false;
  const device = sphere.state.devices.get(event.header.device);
  return device !== undefined && device.jid !== null && isJoinedAs(sphere, device.person, device.jid);
}
