import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fullBitfield } from '../../src/spheres/piece-map.ts';
import type { FedTorrent } from '../../src/spheres/fed-torrent.ts';
import { parseMetainfo, pieceCount } from '../../src/torrent/metainfo.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const LINES = 50;
/** So long that all lines together are more than mail carries at once. */
const line = (number: number): string => `line ${number} ${'of a long story '.repeat(330)}`;

/** Ana has talked with Ben for long. */
async function longSphere(history: 'all' | 'from-join' = 'all') {
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
const packs = ({ session }: SimPerson): FedTorrent[] =>
  [...session.swarm.torrents.values()].filter(({ segments }) => pathOf({ segments }).includes('/packs/'));
const pathOf = ({ segments }: Pick<FedTorrent, 'segments'>): string =>
  segments[0]?.kind === 'file' ? segments[0].path : '';
const filesOf = ({ folder }: SimPerson) => readdir(join(folder.folder, 'packs'));
const rows = ({ session }: SimPerson) => session.storage.packs.list().map(({ state }) => state);

/** What is fetched comes over the swarm, whole. */
async function carry(
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

const passedOn = (world: SimWorld): number => world.entries.filter(({ text }) => text === 'log passed on').length;
/** How the lines that somebody sees begin; on each screen they stand as they came. */
const begins = ({ session }: SimPerson): string[] =>
  session
    .texts()
    .map((text) => text.slice(0, 8))
    .toSorted();
const log = ({ session }: SimPerson) => session.eventIds();
const kept = ({ session }: SimPerson): readonly string[] =>
  session
    .sphere()
    .log.events()
    .flatMap(({ id }) => session.storage.attachments.list(id).map(({ kind }) => kind));

/** Whoever has a pack for somebody. */
function giverOf(world: SimWorld, taker: SimPerson): SimPerson {
  const giver = world.people.find((person) => person.isRunning && person !== taker && rows(person).includes('given'));
  if (giver === undefined) throw new Error('nobody gives a pack');
  return giver;
}

/** A new computer of Ana for which a pack is on its way. */
async function onItsWay() {
  const long = await longSphere();
  const laptop = await long.world.another(long.ana);
  await long.world.until(() => packs(laptop).length > 0);
  return { ...long, laptop, giver: giverOf(long.world, laptop) };
}

async function restart(person: SimPerson): Promise<void> {
  await person.stop();
  await person.start();
}

test('a new computer gets a long history as one pack, which both forget then', async () => {
  const { world, ana, laptop, giver } = await onItsWay();
  expect({ shown: begins(laptop), mailed: passedOn(world) }).toEqual({ shown: [], mailed: 0 });
  const bytes = await readFile(pathOf(packs(giver)[0] ?? { segments: [] }));
  expect([bytes.length > 1000, bytes.includes('of a long story')]).toEqual([true, false]);
  await carry(world, giver, laptop);
  expect(begins(laptop)).toEqual(begins(ana));
  expect(log(laptop)).toEqual(log(ana));
  expect(laptop.session.storage.items.listAll().length).toBe(1);
  await world.pass(MINUTE);
  expect([rows(giver), packs(giver), packs(laptop)]).toEqual([[], [], []]);
  expect([await filesOf(giver), await filesOf(laptop), passedOn(world)]).toEqual([[], [], 0]);
});

test('whoever joins a sphere with a long past gets it as a pack, and only what makes them a member by mail', async () => {
  const { world, ana } = await longSphere();
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await world.until(() => packs(eva).length > 0);
  expect(begins(eva)).toEqual([]);
  await carry(world, giverOf(world, eva), eva);
  expect(begins(eva)).toEqual(begins(ana));
  expect(log(eva)).toEqual(log(ana));
});

test('to whom the past is not open gets the bare events in a pack', async () => {
  const { world, ana, sphere } = await longSphere('from-join');
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await world.pass(MINUTE);
  const { device } = eva.session.sphere();
  eva.session.packs.asked(eva.session.sphere(), ana.session.sphere().device);
  expect(ana.session.packs.give({ sphere, device, events: sphere.log.events() })).toBe(true);
  await world.until(() => packs(eva).length > 0);
  await carry(world, ana, eva);
  await world.until(() => world.entries.some(({ text }) => text === 'history pack taken in'));
  expect([log(eva), kept(eva), begins(eva)]).toEqual([log(ana), [], []]);
  expect(eva.session.storage.items.listAll()).toEqual([]);
});

test('a pack is fetched on and served on after both computers were killed', async () => {
  const { world, ana, laptop, giver } = await onItsWay();
  const [before] = packs(laptop);
  laptop.session.swarm.emit({
    ...{ kind: 'have', infoHash: before?.infoHash ?? ('' as FedTorrent['infoHash']), bytesHave: 1 },
    ...{ bitfield: Uint8Array.of(0), identities: null },
  });
  await world.quiet();
  await restart(laptop);
  await restart(giver);
  await world.until(() => packs(laptop).length > 0 && packs(giver).length > 0);
  expect(packs(laptop)[0]).toMatchObject({ infoHash: before?.infoHash, bitfield: Uint8Array.of(0) });
  await carry(world, giver, laptop);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
});

test('a giver who was not there when its pack had been taken in forgets it when it comes back', async () => {
  const { world, laptop, giver } = await onItsWay();
  const path = pathOf(packs(giver)[0] ?? { segments: [] });
  await carry(world, giver, laptop, () => {
    if (giver.isRunning) giver.session.link.goOffline();
    return rows(laptop).length === 0;
  });
  expect([rows(giver), existsSync(path)]).toEqual([['given'], true]);
  await giver.session.goOnline();
  await world.until(() => rows(giver).length === 0);
  expect(existsSync(path)).toBe(false);
});

test('what was stored of a pack before the program was killed is shown after its next start', async () => {
  const { world, ana, laptop, giver } = await onItsWay();
  laptop.session.list.takeEffect = () => {
    throw new Error('killed here');
  };
  await carry(world, giver, laptop, () => rows(laptop).includes('showing'));
  expect([rows(laptop), begins(laptop)]).toEqual([['showing'], []]);
  await restart(laptop);
  await world.until(() => rows(laptop).length === 0);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
});

test('when a pack does not come everything comes by mail', async () => {
  const { world, ana, laptop } = await onItsWay();
  await world.until(() => begins(laptop).length === LINES);
  expect(passedOn(world)).toBeGreaterThan(1);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
});

test('a pack that is not what was packed is given up, and everything comes by mail', async () => {
  const { world, ana, laptop, giver } = await onItsWay();
  const path = pathOf(packs(giver)[0] ?? { segments: [] });
  const bytes = await readFile(path);
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await carry(world, giver, laptop);
  await world.until(() => begins(laptop).length === LINES);
  expect(passedOn(world)).toBeGreaterThan(0);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
});

test('a disk without room for a pack lets the giver forget it, and everything comes by mail', async () => {
  const { world, ana, laptop, giver } = await onItsWay();
  laptop.session.swarm.say(packs(laptop)[0]?.infoHash ?? ('' as FedTorrent['infoHash']), 'disk-full');
  await world.pass(MINUTE);
  expect([rows(laptop), rows(giver)]).toEqual([[], []]);
  await world.until(() => begins(laptop).length === LINES);
  expect(log(laptop)).toEqual(log(ana));
});

test('a version that knows no packs gets everything by mail', async () => {
  const { world, ana } = await longSphere();
  const laptop = await world.another(ana);
  laptop.session.packs.mayCome = () => false;
  await world.until(() => laptop.session.list.all().length > 0 && begins(laptop).length === LINES);
  expect(log(laptop)).toEqual(log(ana));
  expect(world.people.flatMap(rows)).toEqual([]);
});

test('whoever is removed gets nothing of the pack that was for them', async () => {
  const { world, ana, sphere } = await longSphere();
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await world.until(() => packs(eva).length > 0);
  const giver = giverOf(world, eva);
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.pass(MINUTE);
  expect([rows(giver), packs(giver), await filesOf(giver)]).toEqual([[], [], []]);
  expect([rows(eva), packs(eva), await filesOf(eva)]).toEqual([[], [], []]);
});

test('a pack that nobody asked for is not fetched', async () => {
  const { world, ana, ben, sphere } = await longSphere();
  const theirs = { sphere: ana.session.sphere(), device: ben.session.sphere().device };
  expect(ana.session.packs.give({ ...theirs, events: sphere.log.events() })).toBe(true);
  await world.until(() => world.entries.some(({ text }) => text === 'history pack not taken'));
  await world.pass(MINUTE);
  expect([rows(ben), packs(ben), rows(ana)]).toEqual([[], [], []]);
});
