import { expect, test } from 'vitest';
import { MemoryTurns } from './memory-turns.ts';

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
    turns.run(bytes, job).catch((error: unknown) => failed.push(error));
  };
  return { begun, failed, add, end: (name: string): void => ends.get(name)?.() };
}

test('jobs wait in turn for the memory of others, a small one behind a large one too', async () => {
  const { begun, add, end } = jobs(10);
  add('a', 6);
  add('b', 4);
  add('large', 9);
  add('small', 1);
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
  expect(begun).toEqual(['fails']);
  end('fails');
  await settle();
  expect([begun, failed]).toEqual([['fails', 'next'], [new Error('fails')]]);
});
