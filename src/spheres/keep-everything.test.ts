import { expect, test } from 'vitest';
import { arrive } from '../../test/sim/received-item.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { KeepEverything } from './keep-everything.ts';

const GiB = 1024 ** 3;

/** Ana shares with a computer that keeps everything; its disk has as much room as is said. */
async function alwaysOn(free: () => number) {
  const world = new SimWorld();
  const [ana, box] = [await world.person('ana'), await world.person('box')];
  await world.sphere(ana, box);
  const { storage, list, items, scope } = box.session;
  const parts = { storage, list, items, freeSpace: async () => free(), clock: world.clock, log: silentLogger };
  const start = (): Disposable => {
    const keeper = new KeepEverything(parts);
    const over = new AbortController();
    scope.spawn('keep everything', (signal) => keeper.run(AbortSignal.any([signal, over.signal])));
    return {
      [Symbol.dispose]: () => {
        keeper[Symbol.dispose]();
        over.abort();
      },
    };
  };
  return { world, ana, box, start, keeper: start() };
}

/** Ana shares so many, of which some are begun. */
async function shared(home: Awaited<ReturnType<typeof alwaysOn>>, count: number): Promise<ItemId[]> {
  const items: ItemId[] = [];
  for (let number = 0; number < count; number += 1)
    items.push(await home.ana.share(`${number}.jpg`, `photo ${number}`));
  await home.world.pass(1_000);
  return items;
}

const begun = (box: SimPerson): number => wanted(box).filter(Boolean).length;

const wanted = (box: SimPerson): boolean[] => box.session.storage.items.listAll().map((row) => row.wanted);

test('what is shared is fetched without being asked for', async () => {
  const { world, ana, box } = await alwaysOn(() => 10 * GiB);
  const first = await ana.share('one.mp4', 'one '.repeat(100));
  await world.quiet();
  await ana.share('two.mp4', 'two '.repeat(100));
  await world.quiet();
  await expect.poll(() => wanted(box)).toEqual([true, true]);
  await box.session.items.placed(first, noSignal);
  await world.quiet();
  expect(box.session.swarm.torrents.has(box.session.items.row(first).infoHash)).toBe(true);
});

test('a sphere whose disk is not there keeps nothing from being fetched once it is back', async () => {
  let isThere = false;
  const { world, ana, box } = await alwaysOn(() => {
    if (!isThere) throw new AppError('file-missing', 'no such folder');
    return 10 * GiB;
  });
  await ana.share('one.mp4', 'one '.repeat(100));
  await world.pass(60_000);
  expect(wanted(box)).toEqual([false]);
  isThere = true;
  await world.pass(700_000);
  await expect.poll(() => wanted(box)).toEqual([true]);
});

test('what the person of that computer has paused stays paused', async () => {
  const { world, ana, box } = await alwaysOn(() => 10 * GiB);
  const item = await ana.share('one.mp4', 'one '.repeat(100));
  await world.quiet();
  await expect.poll(() => wanted(box)).toEqual([true]);
  await box.session.items.setPaused(item, true, noSignal);
  await world.pass(3_600_000);
  expect(box.session.items.row(item)).toMatchObject({ paused: true });
});

test('a disk is not filled to the brim, and looked at again when somebody may have made room', async () => {
  let free = GiB + 300;
  const { world, ana, box } = await alwaysOn(() => free);
  await ana.share('one.mp4', 'x'.repeat(200));
  await world.quiet();
  await expect.poll(() => wanted(box)).toEqual([true]);
  // The first is promised its place already.
  await ana.share('two.mp4', 'y'.repeat(200));
  await world.pass(60_000);
  expect(wanted(box).filter(Boolean)).toHaveLength(1);
  free = GiB + 400;
  await world.pass(700_000);
  await expect.poll(() => wanted(box)).toEqual([true, true]);
});

test('of very many items twenty are fetched at once, and the next when one has arrived', async () => {
  const home = await alwaysOn(() => 10 * GiB);
  const { world, ana, box } = home;
  const items = await shared(home, 23);
  await expect.poll(() => begun(box)).toBe(20);
  await world.pass(60_000);
  expect(begun(box)).toBe(20);
  const first = items.findIndex((itemId) => box.session.items.row(itemId).wanted);
  const itemId = items[first] as ItemId;
  await box.session.items.placed(itemId, noSignal);
  await world.quiet();
  await arrive({ world, ana, ben: box, itemId, content: `photo ${first}` });
  await expect.poll(() => box.session.items.row(itemId).state).toBe('complete');
  await world.pass(1_000);
  expect(begun(box)).toBe(21);
});

test('items that nobody gives keep the others waiting for minutes, not for ever', async () => {
  const home = await alwaysOn(() => 10 * GiB);
  await shared(home, 23);
  await expect.poll(() => begun(home.box)).toBe(20);
  await home.world.pass(400_000);
  expect(begun(home.box)).toBe(23);
});

test('twenty items that come slowly keep their places', async () => {
  const home = await alwaysOn(() => 10 * GiB);
  const { world, box } = home;
  await shared(home, 23);
  await expect.poll(() => begun(box)).toBe(20);
  const { items, swarm, storage } = box.session;
  for (const row of storage.items.listWanted()) await items.placed(row.itemId, noSignal);
  for (const { infoHash } of storage.items.listWanted()) swarm.say(infoHash, 'downloading', { downBps: 10 });
  await world.pass(3_600_000);
  expect(begun(box)).toBe(20);
});

test('a restart begins no further ones beside those that go on, and a person waits for none of them', async () => {
  const home = await alwaysOn(() => 10 * GiB);
  const { world, box, keeper, start } = home;
  const items = await shared(home, 23);
  await expect.poll(() => begun(box)).toBe(20);
  keeper[Symbol.dispose]();
  using _again = start();
  await world.pass(60_000);
  expect(begun(box)).toBe(20);
  const waiting = items.find((itemId) => !box.session.items.row(itemId).wanted) as ItemId;
  box.session.items.get(waiting);
  expect(begun(box)).toBe(21);
});

test('twenty items of one person that come slowly keep nothing of anybody else from being fetched', async () => {
  const home = await alwaysOn(() => 10 * GiB);
  const { world, ana, box } = home;
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await shared(home, 23);
  await expect.poll(() => begun(box)).toBe(20);
  await eva.share('beach.jpg', 'photo');
  await world.pass(60_000);
  expect(begun(box)).toBe(21);
});
