import * as z from 'zod';
import { toHex } from '../base/bytes.ts';
import type { Logger } from '../base/log.ts';
import { bareJidSchema } from '../contract/ids.ts';
import type { People } from '../people/people.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { ToldMove } from '../spheres/told-moves.ts';
import { toldMoves } from '../spheres/told-moves.ts';
import type { Storage } from '../storage/storage.ts';

interface OfferMovesDeps {
  readonly list: Pick<SphereList, 'all'>;
  readonly people: Pick<People, 'contacts'>;
  readonly storage: Pick<Storage, 'settings'>;
  readonly log: Logger;
}

const SETTING = 'moves-offered';
const schema = z.record(z.string(), bareJidSchema);

/** What servers of others are asked for at most, for the sake of one move: anybody can certify any number of devices. */
const MAX_DEVICES = 16;

/**
 * People we know who have moved, as our spheres say: what both servers confirm is offered, and followed when our person says so.
 * Each once: whoever asks by the old address later is somebody else.
 */
export async function offerMoves({ list, people, storage, log }: OfferMovesDeps, signal: AbortSignal): Promise<void> {
  const { contacts } = people;
  const spheres = list.all();
  const told = merged(spheres.flatMap((sphere) => toldMoves(sphere).filter(({ person }) => person !== sphere.person)));
  const offered = () => storage.settings.get(SETTING, (value) => schema.parse(value)) ?? {};
  // Whoever is back where they were may move once more.
  const before = Object.entries(offered());
  const stated = before.filter(([jid]) => told.some(({ from }) => from === jid));
  if (stated.length < before.length) storage.settings.set(SETTING, Object.fromEntries(stated));
  for (const move of told) {
    const { from, to } = move;
    if (Object.hasOwn(offered(), from)) continue;
    try {
      const isSettled = contacts.get(from) === undefined || (await contacts.offer(move, signal));
      if (isSettled) storage.settings.set(SETTING, { ...offered(), [from]: to });
    } catch (error) {
      signal.throwIfAborted();
      // It is tried again.
      log.info('a contact who moved is not offered yet', { error });
    }
  }
}

/** Several spheres may say the same: it is looked at once. */
function merged(told: readonly ToldMove[]): ToldMove[] {
  const byMove = Map.groupBy(told, ({ person, from, to }) => `${person} ${from} ${to}`);
  return [...byMove.values()].flatMap((same) => {
    const devices = same.flatMap((move) => move.devices);
    const distinct = new Map(devices.map((device) => [`${device.id} ${toHex(device.identityKey)}`, device]));
    return same.slice(0, 1).map((move) => ({ ...move, devices: [...distinct.values()].slice(-MAX_DEVICES) }));
  });
}
