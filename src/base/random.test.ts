import { expect, test } from 'vitest';
import { randomFraction } from './random.ts';

test('a fraction is at least 0 and less than 1', () => {
  expect(randomFraction(() => new Uint8Array(4))).toBe(0);
  const most = randomFraction(() => new Uint8Array(4).fill(0xff));
  expect(most).toBeLessThan(1);
  expect(most).toBeGreaterThan(0.999);
});

test('random bytes that lie in a larger buffer give the fraction of these bytes', () => {
  const pool = new Uint8Array(16).fill(0xff);
  pool.fill(0x80, 4, 5).fill(0, 5, 8);
  expect(randomFraction(() => pool.subarray(4, 8))).toBe(0.5);
});
