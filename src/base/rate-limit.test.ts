import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { RateLimit } from './rate-limit.ts';

test('a burst passes, then one per interval, for each key by itself', async () => {
  const clock = new VirtualClock();
  const limit = new RateLimit({ burst: 3, intervalMs: 1_000, clock });
  const passing = (key: string): number => Array.from({ length: 10 }, () => limit.take(key)).filter(Boolean).length;
  expect([passing('a'), passing('a'), passing('b')]).toEqual([3, 0, 3]);
  await clock.advance(2_000);
  expect(passing('a')).toBe(2);
  await clock.advance(3_600_000);
  expect(passing('a')).toBe(3);
});
