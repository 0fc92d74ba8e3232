import type { BareJid } from '../../src/base/id.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** Ana's sphere, with Ben and Eva in it, and the room that it is in. */
export async function family() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  const old = sphere.row.room;
  return { world, ana, ben, eva, sphere, old };
}

export const roomOf = ({ session }: SimPerson): BareJid => session.sphere().row.room;
