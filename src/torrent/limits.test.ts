import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { TokenBucket } from './limits.ts';

const never = new AbortController().signal;

/** Bytes granted to `takers` greedy takers of `size` bytes each within `seconds`. */
async function granted(options: { rate: number; takers: number; size: number; seconds: number }): Promise<number> {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: options.rate });
  const stop = new AbortController();
  let bytes = 0;
  const takers = Array.from({ length: options.takers }, async () => {
    while (!stop.signal.aborted) {
      await bucket.take(options.size, stop.signal);
      bytes += options.size;
    }
  });
  await clock.advance(options.seconds * 1000);
  stop.abort();
  await Promise.allSettled(takers);
  return bytes;
}

test('ten seconds at a limit move what the limit says, within ten percent', async () => {
  for (const rate of [20_000, 1_000_000, 50_000_000]) {
    const bytes = await granted({ rate, takers: 3, size: 16 * 1024, seconds: 10 });
    expect(Math.abs(bytes / (rate * 10) - 1)).toBeLessThan(0.1);
  }
});

test('bytes counted afterwards hold back the next grant', async () => {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: 1000 });
  await clock.advance(100);
  bucket.debit(2100);
  expect(bucket.open).toBe(false);
  let granted = false;
  const taking = bucket.take(1, never).then(() => (granted = true));
  await clock.advance(1900);
  expect(granted).toBe(false);
  await clock.advance(200);
  expect(granted).toBe(true);
  await taking;
});

test('waiters are served in turn', async () => {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: 100 });
  const order: number[] = [];
  const all = [1, 2, 3].map((name) => bucket.take(100, never).then(() => order.push(name)));
  await clock.advance(5000);
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3]);
});

test('lifting the limit releases everyone at once', async () => {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: 1 });
  bucket.debit(1_000_000);
  const waiting = bucket.take(1_000_000, never);
  bucket.setRate(0);
  await expect(waiting).resolves.toBeUndefined();
  expect(bucket.open).toBe(true);
});

test('a lower limit holds from the moment it is set', async () => {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: 1_000_000 });
  await clock.advance(1000);
  bucket.setRate(1000);
  await bucket.take(1000, never);
  let granted = false;
  void bucket.take(1, never).then(() => (granted = true));
  await clock.advance(500);
  expect(granted).toBe(false);
  await clock.advance(1000);
  expect(granted).toBe(true);
});

test('a waiter that gives up does not use up the rate', async () => {
  const clock = new VirtualClock(0);
  const bucket = new TokenBucket({ clock, rate: 100 });
  const leaving = new AbortController();
  const left = bucket.take(1_000_000, leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  const staying = bucket.take(10, never);
  await clock.advance(200);
  await expect(staying).resolves.toBeUndefined();
});

test('a debt that takes months is waited for in parts: no timer runs that long, and one that is longer ends at once', () => {
  const slept: number[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms: number) => {
      slept.push(ms);
      return new Promise<void>(() => undefined);
    },
  };
  const bucket = new TokenBucket({ clock, rate: 1 });
  bucket.debit(10_000_000);
  void bucket.take(1, never);
  expect(slept).toEqual([60_000]);
});
