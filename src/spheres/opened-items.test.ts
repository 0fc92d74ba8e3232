import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import type { ItemId } from '../base/id.ts';
import { errorCode } from '../base/errors.ts';
import { parsePublicMetainfo } from '../torrent/public-metainfo.ts';

async function shared(plain = true) {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const path = join(ana.folder.folder, 'film.mp4');
  await writeFile(path, 'a film of ana');
  const request = { sphereId: ana.session.sphere().id, paths: [path], plain };
  const [itemId] = await ana.session.shares.share(request, noSignal);
  if (itemId === undefined) throw new Error('nothing was shared');
  await world.quiet();
  return { world, ana, ben, itemId, infoHash: ana.session.items.row(itemId).infoHash };
}

const open = ({ session }: SimPerson, itemId: ItemId) =>
  session.items.opened.open(session.sphere(), session.source.event(session.sphere(), itemId), noSignal);

const eventsAt = ({ session }: SimPerson): number => session.storage.events.count(session.sphere().id);

/** What the swarm process was told last. */
const told = ({ session }: SimPerson) => session.swarm.told.findLast(({ name }) => name === 'setOpened')?.input;

test('a plain item is opened with a .torrent file of the same info hash, and closed again, and no member hears of it', async () => {
  const { world, ana, ben, itemId, infoHash } = await shared();
  const before = eventsAt(ben);
  const { torrent, endpoints } = await open(ana, itemId);
  expect(endpoints).toEqual(['192.0.2.7:40002', '10.0.0.7:40002']);
  expect(parsePublicMetainfo(torrent)).toMatchObject({
    infoHash,
    trackers: ['http://192.0.2.7:40002/announce', 'http://10.0.0.7:40002/announce'],
  });
  // A swarm process that is started anew is told the port that the file names.
  expect(told(ana)).toEqual({ infoHashes: [infoHash], port: 40_002 });
  expect(ana.session.items.opened.has(itemId)).toBe(true);
  await world.quiet();
  expect([eventsAt(ben), ben.session.items.opened.has(itemId)]).toEqual([before, false]);
  await ana.session.items.opened.close(itemId);
  expect(told(ana)).toEqual({ infoHashes: [], port: 40_002 });
  expect(ana.session.items.opened.has(itemId)).toBe(false);
});

test('what is encrypted is refused, and so is what is not on this disk', async () => {
  const { ana, itemId } = await shared(false);
  expect(errorCode(await open(ana, itemId).catch((error: unknown) => error))).toBe('not-plain');
  const { ben, itemId: plainId } = await shared();
  expect(errorCode(await open(ben, plainId).catch((error: unknown) => error))).toBe('not-complete');
  expect([told(ana), told(ben)]).toEqual([undefined, undefined]);
});

test('without a port for other programs nothing is open', async () => {
  const { ana, itemId } = await shared();
  ana.session.swarm.answers.openedAt = () => ({ port: 0, endpoints: [] });
  expect(errorCode(await open(ana, itemId).catch((error: unknown) => error))).toBe('swarm-unavailable');
  expect([ana.session.items.opened.has(itemId), told(ana)]).toEqual([false, { infoHashes: [], port: 0 }]);
});

test('an open item is open again after a restart, at the port that its .torrent file names', async () => {
  const { world, ana, itemId, infoHash } = await shared();
  await open(ana, itemId);
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(told(ana)).toEqual({ infoHashes: [infoHash], port: 40_002 });
});

test.each(['changed', 'missing'] as const)('an open item whose file is %s is closed, and stays so', async (state) => {
  const { ana, itemId, infoHash } = await shared();
  await open(ana, itemId);
  ana.session.swarm.say(infoHash, state);
  await expect.poll(() => ana.session.items.row(itemId).state).toBe(state);
  await expect.poll(() => told(ana)).toEqual({ infoHashes: [], port: 40_002 });
  ana.session.swarm.say(infoHash, 'complete');
  await expect.poll(() => ana.session.items.row(itemId).state).toBe('sharing');
  expect(ana.session.items.opened.has(itemId)).toBe(false);
});

test('an open item that is taken off the list is closed, and is not open when it is put back', async () => {
  const { ana, itemId } = await shared();
  await open(ana, itemId);
  await ana.session.items.remove(itemId, 'keep', noSignal);
  await ana.session.items.restore(itemId, noSignal);
  expect(ana.session.items.opened.has(itemId)).toBe(false);
  await expect.poll(() => told(ana)).toEqual({ infoHashes: [], port: 40_002 });
});

test('an open item stays open while the folder of its sphere is moved', async () => {
  const { ana, itemId } = await shared();
  await open(ana, itemId);
  const { list, items } = ana.session;
  const { id } = ana.session.sphere();
  list.moving.add(id);
  await items.setPaused(itemId, true, noSignal);
  list.moving.delete(id);
  await items.setPaused(itemId, false, noSignal);
  expect([items.opened.has(itemId), told(ana)]).toMatchObject([true, { infoHashes: [items.row(itemId).infoHash] }]);
});

test('whoever leaves the sphere closes what they opened in it', async () => {
  const { world, ana, ben, itemId } = await shared();
  ben.session.items.get(itemId);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('downloading');
  await open(ben, itemId);
  await ben.session.members.leave(ben.session.sphere().id, noSignal);
  await world.quiet();
  expect([ben.session.items.opened.has(itemId), told(ben)]).toEqual([false, { infoHashes: [], port: 40_002 }]);
  expect(ana.session.items.opened.has(itemId)).toBe(false);
});
