import { fromHex } from '../base/bytes.ts';
import type { BareJid, PersonId } from '../base/id.ts';
import type { Sphere } from './sphere.ts';

/** What a sphere says of a member who goes on under another address. Nothing of it is proved outside of the sphere. */
export interface ToldMove {
  readonly person: PersonId;
  readonly from: BareJid;
  readonly to: BareJid;
  /** The keys that their devices claim to have at the new address. */
  readonly devices: readonly { readonly id: number; readonly identityKey: Uint8Array }[];
}

/** Of a sphere that we are not in any more nothing counts: it hears of no move back. */
export function toldMoves({ row, state, log }: Pick<Sphere, 'row' | 'state' | 'log'>): ToldMove[] {
  const moved = row.state === 'joined' ? [...state.moved] : [];
  return moved.flatMap(([from, to]) => {
    const person = state.members.get(to)?.person ?? null;
    if (person === null) return [];
    const devices = log.events().flatMap((event) => {
      if (event.type !== 'device' || event.header.person !== person || event.body.jid !== to) return [];
      const { omemoDeviceId: id, omemoIdentityKey } = event.body;
      const identityKey = fromHex(omemoIdentityKey ?? '');
      const isIn = log.verdict(event.id)?.kind === 'accepted';
      return isIn && id !== null && identityKey !== undefined ? [{ id, identityKey }] : [];
    });
    return [{ person, from, to, devices }];
  });
}
