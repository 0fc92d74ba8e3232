import { expect, test } from 'vitest';
import { Breather } from './breather.ts';
import type { Clock } from './clock.ts';

function clockAt(moment: { ms: number }): Clock {
  return { now: () => moment.ms, monotonic: () => moment.ms, sleep: () => Promise.reject(new Error('nobody sleeps')) };
}

test('long work lets others in between its steps: a page was answered only after fifty messages', async () => {
  const moment = { ms: 0 };
  const breather = new Breather({ clock: clockAt(moment) });
  let steps = 0;
  const work = (async (): Promise<void> => {
    for (; steps < 100; steps += 1) {
      moment.ms += 5;
      await breather.breathe();
    }
  })();
  const answeredAfter = await new Promise<number>((resolve) => setImmediate(() => resolve(steps)));
  expect(answeredAfter).toBeLessThan(5);
  await work;
  expect(steps).toBe(100);
});

test('short work is not interrupted', async () => {
  const breather = new Breather({ clock: clockAt({ ms: 0 }) });
  let isInterrupted = false;
  setImmediate(() => (isInterrupted = true));
  for (let step = 0; step < 100; step += 1) await breather.breathe();
  expect(isInterrupted).toBe(false);
});
