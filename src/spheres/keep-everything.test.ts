import { expect, test } from 'vitest';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
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
  const keeper = new KeepEverything(parts);
  scope.spawn('keep everything', (signal) => keeper.run(signal));
  return { world, ana, box };
}

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
