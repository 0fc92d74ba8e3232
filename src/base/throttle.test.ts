import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { Throttle } from './throttle.ts';

function throttle() {
  const clock = new VirtualClock();
  const done: string[] = [];
  const never = new AbortController().signal;
  const spawn = (_name: string, task: (signal: AbortSignal) => Promise<void>): void => void task(never);
  const throttled = new Throttle({ burst: 2, intervalMs: 1000, clock, spawn });
  const run = (key: string, word: string): void => {
    void throttled.run(key, () => {
      done.push(word);
      return Promise.resolve();
    });
  };
  return { clock, done, run };
}

test('a burst goes at once, then one per interval, and of what waits only the newest', async () => {
  const { clock, done, run } = throttle();
  for (const word of ['a', 'b', 'c', 'd', 'e']) run('x', word);
  expect(done).toEqual(['a', 'b']);
  await clock.advance(1000);
  expect(done).toEqual(['a', 'b', 'e']);
  for (const word of ['f', 'g']) run('x', word);
  await clock.advance(999);
  expect(done).toEqual(['a', 'b', 'e']);
  await clock.advance(1);
  expect(done).toEqual(['a', 'b', 'e', 'g']);
});

test('a pause gives the burst back, and no more than it', async () => {
  const { clock, done, run } = throttle();
  for (const word of ['a', 'b', 'c']) run('x', word);
  await clock.advance(60_000);
  done.length = 0;
  for (const word of ['d', 'e', 'f']) run('x', word);
  expect(done).toEqual(['d', 'e']);
});

test('one key does not hold up another', () => {
  const { done, run } = throttle();
  for (const word of ['a', 'b', 'c']) run('x', word);
  run('y', 'd');
  expect(done).toEqual(['a', 'b', 'd']);
});
