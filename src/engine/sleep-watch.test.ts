import { expect, onTestFinished, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { watchForSleep } from './sleep-watch.ts';

/** A computer whose wall clock and whose timers can jump apart. */
function computer() {
  const time = new VirtualClock();
  const ahead = { wallMs: 0, monotonicMs: 0 };
  const clock: Clock = {
    now: () => time.now() + ahead.wallMs,
    monotonic: () => time.monotonic() + ahead.monotonicMs,
    sleep: (ms, signal) => time.sleep(ms, signal),
  };
  let wakes = 0;
  const end = new AbortController();
  const watching = watchForSleep(clock, () => (wakes += 1), end.signal).catch(() => undefined);
  onTestFinished(async () => {
    end.abort();
    await watching;
  });
  return { time, ahead, wakes: () => wakes };
}

test.each([
  ['sleep that only the wall clock counts', { wallMs: 3_600_000, monotonicMs: 0 }],
  ['sleep that both clocks count', { wallMs: 3_600_000, monotonicMs: 3_600_000 }],
  ['a clock set back', { wallMs: -86_400_000, monotonicMs: 0 }],
  ['a clock set ahead', { wallMs: 86_400_000, monotonicMs: 0 }],
])('%s is noticed within seconds, once', async (_, jump) => {
  const { time, ahead, wakes } = computer();
  await time.advance(7_000);
  Object.assign(ahead, jump);
  await time.advance(5_000);
  expect(wakes()).toBe(1);
  await time.advance(60_000);
  expect(wakes()).toBe(1);
});

test('a computer that is awake and busy is not taken for one that slept', async () => {
  const { time, ahead, wakes } = computer();
  for (let second = 0; second < 120; second += 1) {
    ahead.wallMs += 50;
    await time.advance(1_000);
  }
  await time.advance(3_600_000);
  expect(wakes()).toBe(0);
});
