import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FedTorrent } from '../../src/spheres/fed-torrent.ts';
import { fullBitfield } from '../../src/spheres/piece-map.ts';
import { parseMetainfo, pieceCount } from '../../src/torrent/metainfo.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

export const MINUTE = 60_000;
export const LINES = 50;
/** So long that all lines together are more than mail carries at once. */
const line = (number: number): string => `line ${number} ${'of a long story '.repeat(330)}`;

/** Ana has talked with Ben for long. */
export async function longSphere(history: 'all' | 'from-join' = 'all') {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await ana.session.members.found({ name: 'Summer', history }, noSignal);
  await world.bringIn(ana, ben);
  for (let number = 0; number < LINES; number += 1) {
    const { session } = number % 3 === 0 ? ben : ana;
    session.messages.say(sphere.id, line(number));
    if (number % 20 === 0) await world.quiet();
  }
  await ana.share('beach.mp4');
  await world.pass(MINUTE);
  return { world, ana, ben, sphere };
}

/** The packs that a swarm holds: whole ones that are given, others that are fetched. */
export const packs = ({ session }: SimPerson): FedTorrent[] =>
  [...session.swarm.torrents.values()].filter(({ segments }) => pathOf({ segments }).includes('/packs/'));
export const pathOf = ({ segments }: Pick<FedTorrent, 'segments'>): string =>
  segments[0]?.kind === 'file' ? segments[0].path : '';
export const filesOf = ({ folder }: SimPerson) => readdir(join(folder.folder, 'packs'));
export const rows = ({ session }: SimPerson) => session.storage.packs.list().map(({ state }) => state);

/** What is fetched comes over the swarm, whole. */
export async function carry(
  world: SimWorld,
  from: SimPerson,
  to: SimPerson,
  isDone = (): boolean => rows(to).length === 0,
): Promise<void> {
  // Each swarm is told in its own time.
  const isHeld = (): boolean => packs(from).some(({ infoHash }) => infoHash === packs(to)[0]?.infoHash);
  await world.until(isHeld);
  const fetched = packs(to)[0];
  const given = packs(from).find(({ infoHash }) => infoHash === fetched?.infoHash);
  if (fetched === undefined || given === undefined) throw new Error('nothing is on its way');
  await copyFile(pathOf(given), pathOf(fetched));
  const pieces = pieceCount(parseMetainfo(fetched.metainfo, { infoHash: fetched.infoHash, sha256: null }));
  const bitfield = fullBitfield(pieces);
  to.session.swarm.emit({ kind: 'have', infoHash: fetched.infoHash, bitfield, bytesHave: 1, identities: null });
  await world.until(isDone);
}

export const passedOn = (world: SimWorld): number =>
  world.entries.filter(({ text }) => text === 'log passed on').length;
/** How the lines that somebody sees begin; on each screen they stand as they came. */
export const begins = ({ session }: SimPerson): string[] =>
  session
    .texts()
    .map((text) => text.slice(0, 8))
    .toSorted();
export const log = ({ session }: SimPerson) => session.eventIds();

/** Whoever has a pack for somebody. */
export function giverOf(world: SimWorld, taker: SimPerson): SimPerson {
  const gives = ({ session }: SimPerson): boolean =>
    session.storage.packs
      .list()
      .some(({ state, infoHash }) => state === 'given' && infoHash === packs(taker)[0]?.infoHash);
  const giver = world.people.find((person) => person.isRunning && person !== taker && gives(person));
  if (giver === undefined) throw new Error('nobody gives a pack');
  return giver;
}

/** A new computer of Ana for which a pack is on its way. */
export async function onItsWay() {
  const long = await longSphere();
  const laptop = await long.world.another(long.ana);
  await long.world.until(() => packs(laptop).length > 0);
  return { ...long, laptop, giver: giverOf(long.world, laptop) };
}

export async function restart(person: SimPerson): Promise<void> {
  await person.stop();
  await person.start();
}
