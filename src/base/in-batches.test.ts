import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inBatches } from './in-batches.ts';

test('so many go together, a batch begins when the one before is done, and results stand in order', async () => {
  let running = 0;
  const together: number[] = [];
  const seen: string[] = [];
  const results = await inBatches(['a', 'b', 'c', 'd', 'e'], 2, async (one, index) => {
    running += 1;
    together.push(running);
    // The first of a batch ends last.
    if (index % 2 === 0) await setImmediate();
    await setImmediate();
    running -= 1;
    seen.push(one);
    return `${index}${one}`;
  });
  expect(results).toEqual(['0a', '1b', '2c', '3d', '4e']);
  expect(together).toEqual([1, 2, 1, 2, 1]);
  expect(seen).toEqual(['b', 'a', 'd', 'c', 'e']);
});

test('after a job that fails no batch begins', async () => {
  const begun: number[] = [];
  const job = async (one: number): Promise<void> => {
    begun.push(one);
    await setImmediate();
    if (one === 1) throw new Error('no');
  };
  await expect(inBatches([0, 1, 2, 3], 2, job)).rejects.toThrow('no');
  expect(begun).toEqual([0, 1]);
});
