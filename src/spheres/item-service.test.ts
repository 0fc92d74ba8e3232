import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { arrive, arriveFirstPiece, fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { OnDisk } from '../storage/database.ts';
import type { ItemId } from '../base/id.ts';

const stateOf = (person: SimPerson, itemId: ItemId): string => person.session.items.row(itemId).state;

test('an item goes from listed over downloading and verifying to complete, with its bytes', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId } = film;
  expect([stateOf(ana, itemId), stateOf(ben, itemId)]).toEqual(['sharing', 'listed']);
  await fetchBegun(film);
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
  expect(ben.session.items.row(itemId).path).toMatch(/Summer.*beach\.mp4$/);
  await arriveFirstPiece(film);
  expect(ben.session.items.row(itemId).bytesHave).toBe(16);
  const done = ben.session.items.wait(itemId, noSignal);
  await arrive(film);
  await done;
  expect(ben.session.items.row(itemId)).toMatchObject({ state: 'complete', bytesHave: film.content.length });
  // Asking again for what is here changes nothing.
  const told = ben.session.swarm.told.length;
  ben.session.items.get(itemId);
  await film.world.quiet();
  expect(ben.session.swarm.told).toHaveLength(told);
});

test('an item that is after a start what it was before is not shown anew, and one that moves is', async () => {
  const { ana, itemId, world } = await sharedFilm();
  await ana.stop();
  await ana.start();
  await world.quiet();
  const { items, swarm } = ana.session;
  const { infoHash } = items.row(itemId);
  let shown = 0;
  items.onItem.on(() => (shown += 1));
  swarm.say(infoHash, 'complete');
  await world.quiet();
  expect([shown, items.live(items.row(itemId))?.state]).toEqual([0, 'complete']);
  for (const upBps of [5, 5, 0]) {
    swarm.say(infoHash, 'complete', { upBps });
    await world.quiet();
  }
  expect(shown).toBe(2);
});

test('pieces that came are written down without waiting for the disk that takes them in', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  const { storage } = ben.session;
  const transaction = storage.transaction.bind(storage);
  const asked: OnDisk[] = [];
  storage.transaction = (work, onDisk = 'now') => {
    asked.push(onDisk);
    return transaction(work, onDisk);
  };
  await arriveFirstPiece(film);
  expect(asked).toEqual(['later']);
  expect(ben.session.items.row(itemId).bytesHave).toBe(16);
});

test('a whole item whose bytes are not what the sharer described fails and is not served', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  const done = ben.session.items.wait(itemId, noSignal);
  done.catch(() => undefined);
  await arrive(film, 'x'.repeat(film.content.length));
  await expect(done).rejects.toMatchObject({ code: 'forged' });
  await expect.poll(() => stateOf(ben, itemId)).toBe('failed');
  expect(ben.session.swarm.torrents.has(ben.session.items.row(itemId).infoHash)).toBe(false);
});

test('a verification cut off by a crash is made up for after the next start', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  await arrive(film);
  ben.session.storage.items.update(itemId, { state: 'verifying' });
  await ben.stop();
  await ben.start();
  await world.quiet();
  ben.session.swarm.say(ben.session.items.row(itemId).infoHash, 'complete');
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('complete');
});

test('after a restart a download goes on from what was verified', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  await arriveFirstPiece(film);
  const { infoHash, bitfield } = ben.session.items.row(itemId);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.swarm.torrents.get(infoHash)?.bitfield).toEqual(bitfield);
});

test('after a start items go to the swarm together, and none waits for one that nobody can describe', async () => {
  const { ana, world } = await sharedFilm();
  for (const name of ['two', 'three', 'four', 'five']) await ana.share(`${name}.mp4`);
  const rows = ana.session.storage.items.listAll();
  await ana.stop();
  await ana.start();
  await world.quiet();
  const added = ana.session.swarm.told.filter(({ name }) => name === 'addAll');
  expect(added.length).toBeLessThan(rows.length);
  expect([...ana.session.swarm.torrents.keys()].toSorted()).toEqual(rows.map(({ infoHash }) => infoHash).toSorted());
  // Asked for again when keys came: one of them has to be fetched from members first.
  const { source, items, swarm, feed } = ana.session;
  const kept = source.metainfo.bind(source);
  for (const { infoHash } of rows) await feed.remove(infoHash);
  const asking = new AbortController();
  source.metainfo = (sphere, event, signal) =>
    event.body.infoHash === rows[0]?.infoHash ? untilAborted(asking.signal) : kept(sphere, event, signal);
  const resumed = items.resumeWaiting(noSignal);
  await expect.poll(() => swarm.torrents.size).toBe(rows.length - 1);
  asking.abort();
  await resumed;
});

test('after a start what was on its way goes on at once, and what is only served when others had their turn', async () => {
  const film = await sharedFilm();
  await fetchBegun(film);
  for (const { session } of [film.ana, film.ben]) {
    const { items, feed, swarm } = session;
    const { infoHash, state } = items.row(film.itemId);
    await feed.remove(infoHash);
    const turn = Promise.withResolvers<void>();
    const resumed = items.resumeAll(() => turn.promise, noSignal);
    await film.world.quiet();
    expect(swarm.torrents.has(infoHash)).toBe(state === 'downloading');
    turn.resolve();
    await resumed;
    expect(swarm.torrents.has(infoHash)).toBe(true);
  }
});

test('an item the disk cannot hold puts nothing on the disk, and begins by itself when there is room', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const event = ben.session.source.event(ben.session.sphere(), itemId);
  const huge = { ...event, body: { ...event.body, bytes: Number.MAX_SAFE_INTEGER } };
  const { source } = ben.session;
  const find = source.event.bind(source);
  source.event = () => huge;
  ben.session.items.get(itemId);
  await expect(ben.session.items.placed(itemId, noSignal)).rejects.toMatchObject({ code: 'disk-full' });
  await world.quiet();
  expect(ben.session.items.row(itemId)).toMatchObject({ state: 'disk-full', layout: null, path: null });
  // Room was made.
  source.event = find;
  await world.clock.advance(30_000);
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
});

test('an item whose key has not come waits, and begins by itself when the key does', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const { mediaKey } = ben.session.source;
  ben.session.source.mediaKey = () => {
    throw new AppError('cannot-encrypt', 'the key of this item has not come yet');
  };
  ben.session.items.get(itemId);
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('queued');
  expect(ben.session.items.error(itemId)?.code).toBe('cannot-encrypt');
  ben.session.source.mediaKey = mediaKey;
  const sphere = ben.session.sphere();
  ben.session.list.announce(sphere, [{ kind: 'epochs' }]);
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
  expect(ben.session.items.error(itemId)).toBeNull();
});

test('an item nobody can describe yet is asked for again after a while', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const { metainfo } = ben.session.source;
  ben.session.source.metainfo = () => Promise.reject(new AppError('disconnected', 'nobody is here'));
  ben.session.items.get(itemId);
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('queued');
  ben.session.source.metainfo = metainfo;
  await world.pass(31_000);
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
});

test('a received file that was edited is fetched again beside the person’s own version', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  await arrive(film);
  const { path, infoHash } = ben.session.items.row(itemId);
  await writeFile(path ?? '', 'my own cut');
  ben.session.swarm.say(infoHash, 'changed');
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('changed');
  await fetchBegun(film);
  const again = ben.session.items.row(itemId);
  expect(basename(again.path ?? '')).toBe('beach (2).mp4');
  expect(again).toMatchObject({ state: 'downloading', bitfield: null, bytesHave: 0 });
  expect(await readFile(path ?? '', 'utf8')).toBe('my own cut');
  await arrive(film);
  await expect.poll(() => stateOf(ben, itemId)).toBe('complete');
});

test('a sharer’s own file is never given to the swarm to be written', async () => {
  const film = await sharedFilm();
  const { ana, itemId, world } = film;
  const { infoHash, path } = ana.session.items.row(itemId);
  await rm(path ?? '');
  ana.session.swarm.say(infoHash, 'missing');
  await world.quiet();
  await expect.poll(() => stateOf(ana, itemId)).toBe('missing');
  const { bitfield } = ana.session.items.row(itemId);
  ana.session.items.get(itemId);
  await world.quiet();
  const spec = ana.session.swarm.torrents.get(infoHash);
  expect(spec?.bitfield).toEqual(bitfield);
  expect(spec?.segments.filter(({ kind }) => kind === 'file')).toMatchObject([{ root: null, path }]);
});

test('a second item over the same bytes is refused and leaves the first one alone', async () => {
  const world = new SimWorld();
  const [ana, ben, cara] = [await world.person('ana'), await world.person('ben'), await world.person('cara')];
  await world.sphere(ana, ben, cara);
  // Both share before they hear of each other.
  for (const one of [ana, cara]) one.session.link.goOffline();
  const shared: ItemId[] = [];
  for (const one of [ana, cara]) {
    // Plain items of the same bytes are one torrent.
    one.session.swarm.pieces = new Uint8Array(20).fill(7);
    const path = join(one.folder.folder, 'public.mp4');
    await writeFile(path, 'the same bytes');
    const input = { sphereId: one.session.sphere().id, paths: [path], plain: true };
    shared.push(...(await one.session.shares.share(input, noSignal)));
  }
  for (const one of [ana, cara]) await one.session.goOnline();
  await world.quiet();
  const [first, second] = shared;
  if (first === undefined || second === undefined) throw new Error('nothing was shared');
  const { items, swarm } = ben.session;
  expect(items.row(second).infoHash).toBe(items.row(first).infoHash);
  items.get(first);
  await items.placed(first, noSignal);
  await expect.poll(() => swarm.torrents.size).toBe(1);
  expect(() => items.get(second)).toThrow(expect.objectContaining({ code: 'conflict' }));
  expect(swarm.names()).not.toContain('remove');
  expect([stateOf(ben, first), stateOf(ben, second)]).toEqual(['downloading', 'listed']);
  // Nor is it sent and received as the second one is to be.
  await items.arrange(second, { priority: 'high' });
  expect(swarm.names()).not.toContain('setPriority');
  await items.arrange(first, { priority: 'low' });
  expect(swarm.names()).toContain('setPriority');
  // Nor does it take the first one along when it is refused after all, or its sphere is left.
  await items.withdraw(second);
  const other = await ben.session.members.create('Winter', noSignal);
  ben.session.storage.items.update(second, { sphereId: other.id });
  await items.stopSphere(other);
  expect(swarm.names()).not.toContain('remove');
});

test('pausing keeps what is done done, and resuming starts what had not begun', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  await fetchBegun(film);
  await ben.session.items.pauseAll(true, noSignal);
  await ana.session.items.pauseAll(true, noSignal);
  expect([stateOf(ana, itemId), stateOf(ben, itemId)]).toEqual(['sharing', 'paused']);
  expect(ben.session.items.isAllPaused).toBe(true);
  // What comes new is not paused, and then not everything is.
  const second = await ana.share('second.mp4');
  expect(ana.session.items.isAllPaused).toBe(false);
  await world.quiet();
  expect(ben.session.items.isAllPaused).toBe(true);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.items.isAllPaused).toBe(true);
  const { infoHash } = ben.session.items.row(itemId);
  expect(ben.session.swarm.torrents.get(infoHash)?.paused).toBe(true);
  await ben.session.items.pauseAll(false, noSignal);
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
  expect(ben.session.swarm.names()).toContain('resume');
  expect(stateOf(ben, second)).toBe('listed');
});

test('a download paused while its torrent is still looked for is told to the swarm as paused', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  await ben.stop();
  await ben.start();
  const { items, source, swarm } = ben.session;
  const { infoHash } = items.row(itemId);
  await world.quiet();
  await ben.session.feed.remove(infoHash);
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<void>();
  const metainfo = source.metainfo.bind(source);
  source.metainfo = async (...input) => {
    asked.resolve();
    await found.promise;
    return metainfo(...input);
  };
  const active = items.activate(itemId, noSignal);
  await asked.promise;
  await items.setPaused(itemId, true, noSignal);
  found.resolve();
  await active;
  expect(swarm.torrents.get(infoHash)?.paused).toBe(true);
});

test('an item that failed stays failed when everything is paused and resumed', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  const error = { code: 'disk-error' as const, message: 'the disk fails' };
  ben.session.swarm.say(ben.session.items.row(itemId).infoHash, 'failed', { error });
  await world.quiet();
  await ben.session.items.pauseAll(true, noSignal);
  await ben.session.items.pauseAll(false, noSignal);
  await expect.poll(() => stateOf(ben, itemId)).toBe('failed');
  expect(ben.session.items.error(itemId)).toEqual(error);
});

test('placing an item again after a failure is not answered with the former failure', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const { metainfo } = ben.session.source;
  ben.session.source.metainfo = () => Promise.reject(new AppError('invalid-torrent', 'nonsense'));
  ben.session.items.get(itemId);
  await expect(ben.session.items.placed(itemId, noSignal)).rejects.toMatchObject({ code: 'invalid-torrent' });
  await expect.poll(() => stateOf(ben, itemId)).toBe('failed');
  ben.session.source.metainfo = metainfo;
  ben.session.items.get(itemId);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
  await expect.poll(() => stateOf(ben, itemId)).toBe('downloading');
});

test('devices with the whole item are remembered, each of them once', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  const { infoHash } = ana.session.items.row(itemId);
  const device = ben.session.identity.device.id;
  const peer = { infoHash, device, address: '10.0.0.1:1', path: 'tcp' as const, downBps: 0, upBps: 0 };
  ana.session.swarm.emit({ kind: 'peers', peers: [{ ...peer, bytesHave: 10 }] });
  await world.quiet();
  expect(ana.session.items.holders(itemId)).toEqual([]);
  for (let times = 0; times < 2; times += 1) {
    ana.session.swarm.emit({ kind: 'peers', peers: [{ ...peer, bytesHave: film.content.length }] });
  }
  await world.quiet();
  expect(ana.session.items.holders(itemId)).toEqual([device]);
});

test('when a sphere is left its downloads stop and nothing of it is started again', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  const sphere = ben.session.sphere();
  await ben.session.members.leave(sphere.id, noSignal);
  await ben.session.items.stopSphere(sphere);
  expect(ben.session.swarm.torrents.size).toBe(0);
  expect(() => ben.session.items.get(itemId)).toThrow(/no longer a member/);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.swarm.torrents.size).toBe(0);
});
