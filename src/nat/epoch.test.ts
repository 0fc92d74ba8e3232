import { expect, test } from 'vitest';
import { Epoch } from './epoch.ts';

const PORT = { protocol: 'tcp', internalPort: 40_001 } as const;

function watched(): Epoch {
  const epoch = new Epoch();
  epoch.observe(1_000, 50_000);
  epoch.mark(PORT);
  return epoch;
}

test.each([
  ['runs with ours', 1_060, true],
  ['runs a little slow', 1_056, true],
  ['runs a little fast', 1_065, true],
  ['began anew', 3, false],
  ['stood still', 1_001, false],
  ['leapt ahead', 2_000, false],
])('a router whose clock %s', (_, seconds, kept) => {
  const epoch = watched();
  epoch.observe(seconds, 110_000);
  expect(epoch.covers(PORT)).toBe(kept);
});

test('after a restart a mapping counts again once it is confirmed', () => {
  const epoch = watched();
  epoch.observe(1, 110_000);
  epoch.mark(PORT);
  epoch.observe(61, 170_000);
  expect(epoch.covers(PORT)).toBe(true);
  expect(epoch.covers({ ...PORT, internalPort: 40_002 })).toBe(false);
  epoch.forget(PORT);
  expect(epoch.covers(PORT)).toBe(false);
});
