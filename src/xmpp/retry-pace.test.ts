import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import { RetryPace } from './retry-pace.ts';

const never = new AbortController().signal;
const silence = new AppError('server-unreachable', 'no answer', { answered: false });
const refusal = new AppError('server-unreachable', 'refused', { answered: true });

function pace() {
  const clock = new VirtualClock();
  const made = new RetryPace({ clock, jitter: () => 1 });
  /** How long it waits, in ms. */
  const waits = async (error: AppError): Promise<number> => {
    const before = clock.monotonic();
    let isOver = false;
    const waiting = made.next(error, never).then(() => {
      isOver = true;
    });
    while (!isOver) await clock.advance(100);
    await waiting;
    return clock.monotonic() - before;
  };
  return { clock, made, waits };
}

test('a network that is away is tried again every few seconds, so that it is found soon when it is back', async () => {
  const { waits } = pace();
  for (let attempt = 0; attempt < 60; attempt += 1) expect(await waits(silence)).toBeLessThanOrEqual(3100);
});

test('a network that stays away, and a server that answers wrongly, are tried more and more rarely', async () => {
  const away = pace();
  await away.clock.advance(300_000);
  const refused = pace();
  for (let attempt = 0; attempt < 8; attempt += 1) await Promise.all([away.waits(silence), refused.waits(refusal)]);
  expect(await away.waits(silence)).toBeGreaterThan(50_000);
  expect(await refused.waits(refusal)).toBeGreaterThan(50_000);
});

test('who hurries waits for nothing, once, and then from the beginning', async () => {
  const { clock, made, waits } = pace();
  for (let attempt = 0; attempt < 8; attempt += 1) await waits(refusal);
  const waiting = made.next(refusal, never);
  await clock.advance(100);
  made.hurry();
  await waiting;
  expect(await waits(refusal)).toBeLessThanOrEqual(1100);
  made.hurry();
  expect(await waits(refusal)).toBeLessThanOrEqual(100);
  expect(await waits(refusal)).toBeGreaterThan(900);
});
