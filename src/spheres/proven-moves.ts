import { equalBytes, fromHex } from '../base/bytes.ts';
import type { BareJid, PersonId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Sphere } from './sphere.ts';

/** A member had an address before that was theirs outside the sphere, too. */
export interface ProvenMove {
  readonly person: PersonId;
  readonly from: BareJid;
  readonly to: BareJid;
}

/**
 * Members who have moved, as far as the address of before was theirs for certain: a founder can name anybody's as their own.
 * Whoever has the identity key by which we know that account has signed to be this person.
 */
export function provenMoves({ state, log }: Sphere, { knownDevices }: Pick<Storage, 'knownDevices'>): ProvenMove[] {
  const events = state.moved.size === 0 ? [] : log.events();
  return [...state.moved].flatMap(([from, to]) => {
    const person = state.members.get(to)?.person ?? null;
    const isProven = events.some((event) => {
      if (event.type !== 'device' || event.header.person !== person || event.body.jid !== from) return false;
      const { omemoDeviceId, omemoIdentityKey } = event.body;
      const known = omemoDeviceId === null ? undefined : knownDevices.get(from, omemoDeviceId)?.identityKey;
      const claimed = fromHex(omemoIdentityKey ?? '');
      const fits = known !== undefined && claimed !== undefined && equalBytes(known, claimed);
      return fits && log.verdict(event.id)?.kind === 'accepted';
    });
    return person !== null && isProven ? [{ person, from, to }] : [];
  });
}
