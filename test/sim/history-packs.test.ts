import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { EventId } from '../../src/base/id.ts';
import { parseDeviceKey } from '../../src/base/id.ts';
import type { FedTorrent } from '../../src/spheres/fed-torrent.ts';
import type { SignedEvent } from '../../src/spheres/protocol/event.ts';
import { encodeTicket } from '../../src/spheres/protocol/history-pack.ts';
import { buildMetainfo } from '../../src/torrent/metainfo.ts';
import {
  begins,
  carry,
  filesOf,
  giverOf,
  LINES,
  log,
  longSphere,
  MINUTE,
  onItsWay,
  packs,
  passedOn,
  pathOf,
  restart,
  rows,
} from './long-past.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal } from './sim-world.ts';

const KEY = new Uint8Array(32);
const kept = ({ session }: SimPerson): readonly string[] =>
  session
    .sphere()
    .log.events()
    .flatMap(({ id }) => session.storage.attachments.list(id).map(({ kind }) => kind));

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

test('to make a pack the bytes of each event are read from the disk once', async () => {
  const { world, ana, sphere } = await longSphere();
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  const read: EventId[] = [];
  const events = sphere.log.events().map((event): SignedEvent => {
    const bytes = (): Uint8Array => (read.push(event.id), event.bytes);
    return Object.defineProperty({ ...event }, 'bytes', { get: bytes });
  });
  const { device } = eva.session.sphere();
  expect(ana.session.packs.give({ sphere, device, events })).toBe(true);
  await world.until(() => world.entries.some(({ text }) => text === 'history packed'));
  expect(read).toEqual(events.map(({ id }) => id));
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

test('of many who ask at once no more get a pack than are kept', async () => {
  const { ana, sphere } = await longSphere();
  const events = sphere.log.events();
  const devices = Array.from({ length: 9 }, (_, at) => parseDeviceKey(String(at).repeat(64)));
  const given = devices.map((device) => ana.session.packs.give({ sphere, device, events }));
  expect(given.filter((isGiven) => isGiven).length).toBe(8);
});

test('whoever tells of packs without end has us say little', async () => {
  const { world, ana, ben } = await longSphere();
  const { channel, packs: packsOfBen } = ben.session;
  const say = channel.say.bind(channel);
  let ends = 0;
  channel.say = async (sphere, kind, body) => {
    if (kind === 'pack-end') ends += 1;
    await say(sphere, kind, body);
  };
  const { device } = ana.session.sphere();
  for (let at = 0; at < 30; at += 1) {
    const pieces = new Uint8Array(20).fill(at);
    const { metainfo, infoHash } = buildMetainfo({ length: 262_144, pieceLength: 262_144, pieces });
    packsOfBen.offered(ben.session.sphere(), { device, ticket: encodeTicket({ infoHash, key: KEY, metainfo }) });
  }
  await world.pass(10 * MINUTE);
  expect([ends > 0, ends <= 8, rows(ben)]).toEqual([true, true, []]);
});

test('the torrent of an item is no pack, whoever says so', async () => {
  const { world, ana, ben } = await longSphere();
  const [item] = ben.session.storage.items.listAll();
  const metainfo = ben.session.storage.attachments.get(item?.itemId as string as EventId, 'metainfo');
  if (item === undefined || metainfo === undefined) throw new Error('nothing was shared');
  const sphere = ben.session.sphere();
  const { device } = ana.session.sphere();
  ben.session.packs.asked(sphere, device);
  const ticket = encodeTicket({ infoHash: item.infoHash, key: KEY, metainfo });
  ben.session.packs.offered(sphere, { device, ticket });
  await world.quiet();
  expect([rows(ben), packs(ben)]).toEqual([[], []]);
});
