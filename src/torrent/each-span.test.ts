import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Span } from './byte-space.ts';
import { eachSpan } from './each-span.ts';

const spans = Array.from({ length: 30 }, (_, at): Span => ({ kind: 'padding', at, length: 1 }));

test('a failure is thrown when no other span of the piece is at work any more', async () => {
  let running = 0;
  const begun: number[] = [];
  const each = eachSpan(spans, async ({ at }) => {
    begun.push(at);
    running += 1;
    if (at !== 9) for (let waits = 0; waits < at; waits += 1) await turn();
    running -= 1;
    if (at === 9) throw new Error('disk full');
  });
  await expect(each).rejects.toThrow('disk full');
  expect(running).toBe(0);
  expect(Math.max(...begun)).toBeLessThan(16);
});

test('every span has its turn, few at once', async () => {
  let [running, most] = [0, 0];
  const done: number[] = [];
  await eachSpan(spans, async ({ at }) => {
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
    done.push(at);
  });
  expect(done.toSorted((a, b) => a - b)).toEqual(spans.map(({ at }) => at));
  expect(most).toBeLessThanOrEqual(8);
});
