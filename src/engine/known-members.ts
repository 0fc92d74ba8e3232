import { toHex } from '../base/bytes.ts';
import type { BareJid, PersonId } from '../base/id.ts';
import { certifiedAt } from '../spheres/protocol/certified-at.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';
import { vouchedKeys } from './vouched-keys.ts';

interface KnownMembersDeps {
  readonly storage: Pick<Storage, 'ownDevices' | 'verified' | 'settings'>;
  readonly list: Pick<SphereList, 'all'>;
  readonly own: BareJid;
  /** Our own. */
  readonly person: PersonId;
}

/** What the spheres say of people outside of them. */
export function knownMembers({ storage, list, own, person }: KnownMembersDeps) {
  return {
    person,
    keysOf: (jid: BareJid) => vouchedKeys({ storage, list, own, person }, jid),
    sharesSphere: (jid: BareJid): boolean =>
      list.all().some(({ row, state }) => row.state === 'joined' && state.members.get(jid)?.state === 'joined'),
    /** The person who certified a device of this address with this identity key; null = nobody whom we meet. */
    personBehind(jid: BareJid, identityKey: Uint8Array): PersonId | null {
      const identity = toHex(identityKey);
      // A new device is ours only once the person has said so.
      const isOurs = storage.ownDevices.list().some(({ state, jid: at, omemoIdentityKey }) => {
        const isKnown = state === 'here' || state === 'known';
        return isKnown && at === jid && omemoIdentityKey === identity;
      });
      if (jid === own) return isOurs ? person : null;
      // What ended since is not heard of in a sphere that we have left.
      const joined = list.all().filter(({ row }) => row.state === 'joined');
      const devices = joined.flatMap(({ log }) => certifiedAt(log, { jid, omemoIdentityKey: identity }) ?? []);
      return devices[0]?.person ?? null;
    },
  };
}
