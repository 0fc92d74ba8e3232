import type { BareJid, PersonId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { historyFor } from './history.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { isStructural } from './protocol/member-record.ts';
import { enqueueRelays, relayEntry } from './relay.ts';
import type { Sphere } from './sphere.ts';

/** A device of a member that the sphere's log does not know yet. */
export interface NewDevice {
  readonly person: PersonId;
  readonly jid: BareJid;
  readonly omemoDeviceId: number;
  readonly omemoIdentityKey: string;
}

/**
 * Gives a device everything it takes to be one of the sphere's: who is in it, its name, its picture, its room, and the keys
 * of the epochs that its person may have. What was said and shared it asks for then, of one member at a time.
 */
export function handOver(sphere: Sphere, storage: Storage, device: NewDevice): void {
  const { person, jid, omemoDeviceId: deviceId, omemoIdentityKey: identityKey } = device;
  const entries = foundationOf(sphere, storage, person);
  storage.transaction(() => {
    enqueueRelays(sphere, entries, { kind: 'known', jid, devices: [{ deviceId, identityKey }] });
  });
}

/** Who is in the sphere, its name, its picture, its room, and the keys of the epochs that a person may have. */
export function foundationOf(sphere: Sphere, storage: Storage, person: PersonId): EnvelopeEntry[] {
  const history = historyFor(sphere, person);
  return sphere.log
    .events()
    .filter(isFoundation)
    .map((event) => relayEntry(event, sphere, storage, history));
}

/** Whether a person is in the sphere, at this account or at one that they have said to move to from there. */
export function isJoinedAs({ state }: Sphere, person: PersonId, jid: BareJid): boolean {
  const member = state.members.get(state.moved.get(jid) ?? jid);
  return member?.state === 'joined' && member.person === person;
}

function isFoundation(event: SignedEvent): boolean {
  return isStructural(event) || ['epoch', 'rename', 'picture', 'room'].includes(event.type);
}
