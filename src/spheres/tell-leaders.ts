import type { SignedEvent } from './protocol/event.ts';
import { knownDevices } from './recipients.ts';
import type { Sphere } from './sphere.ts';
import { tellAlone } from './tell-alone.ts';

/** Tells whoever decides in a sphere, each alone, what the room may not carry: they pass it on there. */
export function tellLeaders(sphere: Sphere, event: SignedEvent): void {
  for (const { jid, role, state } of sphere.state.members.values()) {
    if (state !== 'joined' || (role !== 'owner' && role !== 'admin')) continue;
    tellAlone(sphere, event, { kind: 'known', jid, devices: knownDevices(sphere.state, jid, sphere.device) });
  }
}
