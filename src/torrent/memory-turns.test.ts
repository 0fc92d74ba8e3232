import { expect, test } from 'vitest';
import { MemoryTurns } from './memory-turns.ts';

const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function jobs(limitBytes: number) {
  const turns = new MemoryTurns({ limitBytes });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const failed: unknown[] = [];
  const add = (name: string, bytes: number): void => {
    const job = (): Promise<void> => {
      begun.push(name);
      return new Promise((resolve, reject) =>
        ends.set(name, name === 'fails' ? () => reject(new Error(name)) : resolve),
      );
    };
    turns.run(bytes, job, never).catch((error: unknown) => failed.push(error));
  };
  return { begun, failed, add, end: (name: string): void => ends.get(name)?.() };
}

test('jobs wait in turn for the memory of others, a small one behind a large one too', async () => {
  const { begun, add, end } = jobs(10);
  add('a', 6);
  add('b', 4);
  add('large', 9);
  add('small', 1);
  await settle();
  expect(begun).toEqual(['a', 'b']);
  end('a');
  await settle();
  expect(begun).toEqual(['a', 'b']);
  end('b');
  await settle();
  expect(begun).toEqual(['a', 'b', 'large', 'small']);
});

test('a job larger than everything runs alone, and one that fails gives its memory back', async () => {
  const { begun, failed, add, end } = jobs(10);
  add('fails', 50);
  add('next', 1);
  await settle();
  expect(begun).toEqual(['fails']);
  end('fails');
  await settle();
  expect([begun, failed]).toEqual([['fails', 'next'], [new Error('fails')]]);
});

test('who waits for memory and gives up leaves at once, and those behind have its turn', async () => {
  const turns = new MemoryTurns({ limitBytes: 10 });
  const giveBack = await turns.take(6, never);
  const abort = new AbortController();
  const given = turns.run(9, () => Promise.resolve('run'), abort.signal);
  const behind = turns.take(4, never);
  abort.abort(new Error('nobody waits any more'));
  await expect(given).rejects.toThrow('nobody waits any more');
  expect(await behind).toBeTypeOf('function');
  expect(turns.hasRoom(1)).toBe(false);
  giveBack();
  expect(turns.hasRoom(6)).toBe(true);
  await expect(turns.take(1, abort.signal)).rejects.toThrow('nobody waits any more');
});
