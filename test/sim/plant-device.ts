import type { BareJid } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { MemoryOmemoStore } from '../../src/omemo/memory-store.ts';
import { Omemo } from '../../src/omemo/omemo.ts';
import type { SimWorld } from './sim-world.ts';

/** Whoever runs the server, or an ordinary program of the person, puts a device into the list of an account. */
export async function plantDevice(world: SimWorld, jid: BareJid, store?: MemoryOmemoStore): Promise<Omemo> {
  const omemo = await makeDevice(world, jid, store);
  const account = world.server.account(jid);
  account.bundles.set(omemo.deviceId, omemo.bundle());
  account.deviceIds = [...account.deviceIds, omemo.deviceId];
  return omemo;
}

/** A device that no list has. */
export async function makeDevice({ clock }: SimWorld, own: BareJid, store = new MemoryOmemoStore()): Promise<Omemo> {
  return await Omemo.open({ store, own, clock, random: systemRandom, log: silentLogger });
}
