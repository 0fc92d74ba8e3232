import { expect, test } from 'vitest';
import { firstOf } from './first-of.ts';

const never = new AbortController().signal;

test('what is found ends all other attempts, and those that were not begun are left', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const found = await firstOf(
    [1, 2, 3, 4, 5],
    3,
    async (one, signal) => {
      begun.push(one);
      if (one === 2) return 'two';
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      ended.push(one);
      throw signal.reason;
    },
    never,
  );
  expect([found, begun, ended]).toEqual(['two', [1, 2, 3], [1, 3]]);
});

test('all are tried, never more at once than there are lanes, when none of them gives anything', async () => {
  let running = 0;
  let most = 0;
  const tried: number[] = [];
  const found = await firstOf(
    Array.from({ length: 10 }, (_, index) => index),
    3,
    async (one) => {
      most = Math.max(most, (running += 1));
      await Promise.resolve();
      running -= 1;
      tried.push(one);
      return undefined;
    },
    never,
  );
  expect(found).toBeUndefined();
  expect([tried.length, most]).toEqual([10, 3]);
});

test('whoever gives up ends everything', async () => {
  const giveUp = new AbortController();
  const finding = firstOf(
    [1],
    1,
    async (_, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      throw signal.reason;
    },
    giveUp.signal,
  );
  giveUp.abort(new Error('enough'));
  await expect(finding).rejects.toThrow('enough');
});
