import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { silentLogger } from './log.ts';
import { RecurringWork } from './recurring-work.ts';

function start(pass: (count: number) => number | Error) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  let count = 0;
  const work = new RecurringWork({
    pass: () => {
      count += 1;
      const next = pass(count);
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    retryMs: 5_000,
    clock,
    log: silentLogger,
  });
  const ended = work.run(stop.signal);
  return { clock, work, ended, stop, passes: () => count };
}

test('goes on at the moment that it named, or as soon as something happens', async () => {
  const { clock, work, passes } = start(() => 1_000);
  await clock.advance(999);
  expect(passes()).toBe(1);
  await clock.advance(1);
  expect(passes()).toBe(2);
  work.wake();
  await clock.advance(0);
  expect(passes()).toBe(3);
});

test('what happens during a pass is followed by another one', async () => {
  const world = start((count) => {
    if (count === 1) queueMicrotask(() => world.work.wake());
    return 1_000;
  });
  await world.clock.advance(0);
  expect(world.passes()).toBe(2);
});

test('a pass that fails does not end the work', async () => {
  const { clock, passes } = start((count) => (count === 1 ? new Error('disk full') : 1_000));
  await clock.advance(4_999);
  expect(passes()).toBe(1);
  await clock.advance(1);
  expect(passes()).toBe(2);
});

test('ends with its signal', async () => {
  const { clock, ended, stop, passes } = start(() => 1_000);
  await clock.advance(0);
  stop.abort();
  await ended;
  expect(passes()).toBe(1);
});
