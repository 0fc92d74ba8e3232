import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { InfoHash } from '../base/id.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import { LimitTree } from './limit-tree.ts';

const sphere = parseSphereId('1'.repeat(64));
const other = parseSphereId('2'.repeat(64));
const [first, second, third] = ['a', 'b', 'c'].map((digit) => parseInfoHash(digit.repeat(40))) as [
  InfoHash,
  InfoHash,
  InfoHash,
];
const SECONDS = 30;
const BLOCK = 16 * 1024;

/** Bytes a second that each of the items sends, with three greedy connections each. */
async function ratesOf(tree: LimitTree, clock: VirtualClock, items: readonly InfoHash[]): Promise<number[]> {
  const stop = new AbortController();
  const moved = items.map(() => 0);
  const send = async (item: InfoHash, index: number): Promise<void> => {
    const { up } = tree.bucketsOf(item);
    while (!stop.signal.aborted) {
      await up.take(BLOCK, stop.signal);
      moved[index] = (moved[index] ?? 0) + BLOCK;
    }
  };
  const sending = items.flatMap((item, index) => [0, 1, 2].map(() => send(item, index)));
  await clock.advance(SECONDS * 1000);
  stop.abort();
  await Promise.allSettled(sending);
  return moved.map((bytes) => bytes / SECONDS);
}

const isNear = (rate: number | undefined, wanted: number): boolean => Math.abs((rate ?? 0) / wanted - 1) < 0.05;
const up = (rate: number) => ({ up: rate, down: 0 });

test('two items with limits of their own keep to them within five percent', async () => {
  const clock = new VirtualClock(0);
  using tree = new LimitTree({ clock, limits: up(0) });
  tree.place(first, sphere, up(1_000_000));
  tree.place(second, sphere, up(250_000));
  const rates = await ratesOf(tree, clock, [first, second]);
  expect([isNear(rates[0], 1_000_000), isNear(rates[1], 250_000)]).toEqual([true, true]);
});

test('items of one sphere share its limit, whichever they have themselves, and those of others do not', async () => {
  const clock = new VirtualClock(0);
  using tree = new LimitTree({ clock, limits: up(0) });
  tree.setSphere(sphere, up(600_000));
  tree.place(first, sphere, up(100_000));
  tree.place(second, sphere);
  tree.place(third, other, up(2_000_000));
  const rates = await ratesOf(tree, clock, [first, second, third]);
  expect(rates.map((rate, index) => isNear(rate, [100_000, 500_000, 2_000_000][index] ?? 0))).toEqual([
    true,
    true,
    true,
  ]);
});

test('the limit of the whole computer holds over all of them', async () => {
  const clock = new VirtualClock(0);
  using tree = new LimitTree({ clock, limits: up(1_000_000) });
  tree.setSphere(sphere, up(900_000));
  tree.place(first, sphere, up(800_000));
  tree.place(second, sphere, up(800_000));
  tree.place(third, other);
  const rates = await ratesOf(tree, clock, [first, second, third]);
  expect(
    isNear(
      rates.reduce((sum, rate) => sum + rate),
      1_000_000,
    ),
  ).toBe(true);
  expect((rates[0] ?? 0) + (rates[1] ?? 0) < 945_000).toBe(true);
});

test('a limit that is changed holds for connections that stand, and none is left when the item is', async () => {
  const clock = new VirtualClock(0);
  using tree = new LimitTree({ clock, limits: up(0) });
  tree.place(first, sphere);
  const buckets = tree.bucketsOf(first);
  expect(buckets.up.rate).toBe(0);
  tree.set(first, { up: 5_000, down: 7_000 });
  tree.setSphere(sphere, up(4_000));
  expect([buckets.up.rate, buckets.down.rate]).toEqual([4_000, 7_000]);
  buckets.down.debit(1);
  expect([buckets.up.open, buckets.down.open]).toEqual([false, false]);
  tree.forget(first);
  tree.forgetSphere(sphere);
  expect([tree.bucketsOf(first).up.rate, buckets.down.open]).toEqual([0, true]);
});

test('an item is held back by its own limit and by that of its sphere, not by the one that all share', () => {
  using tree = new LimitTree({ clock: new VirtualClock(0), limits: { up: 0, down: 9_000 } });
  tree.place(first, sphere);
  const buckets = tree.bucketsOf(first);
  const told = [buckets.isHeldBack];
  for (const down of [7_000, 0]) {
    tree.set(first, { up: 0, down });
    told.push(buckets.isHeldBack);
  }
  for (const limits of [up(5_000), { up: 0, down: 8_000 }]) {
    tree.setSphere(sphere, limits);
    told.push(buckets.isHeldBack);
  }
  expect(told).toEqual([false, true, false, false, true]);
});
