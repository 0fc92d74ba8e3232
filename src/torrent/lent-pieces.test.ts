import { expect, test } from 'vitest';
import { CacheBudget } from './cache-budget.ts';
import { LentPieces } from './lent-pieces.ts';
import { MemoryTurns } from './memory-turns.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { PieceCache } from './piece-cache.ts';
import { BIG_PIECE_BYTES, createPieceMemory } from './piece-memory.ts';

const BIG = 2 * BIG_PIECE_BYTES;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Pieces of which `fitting` fit into the memory for big ones, and how many bytes of them there are. */
function lending(size: number, fitting: number) {
  const out = { bytes: 0, most: 0 };
  class Counted extends PieceBuffers {
    override take(length: number) {
      out.bytes += length;
      out.most = Math.max(out.most, out.bytes);
      return super.take(length);
    }
    override give(buffer: Buffer<SharedArrayBuffer>): void {
      out.bytes -= buffer.length;
      super.give(buffer);
    }
  }
  const turns = { big: new MemoryTurns({ limitBytes: fitting * size }), cached: new CacheBudget() };
  const memory = { ...createPieceMemory(), ...turns, sealed: new Counted() };
  const cache = new PieceCache({ limitBytes: 4 * size, budget: turns.cached });
  const read: number[] = [];
  const lent = new LentPieces({
    memory,
    cache,
    size: () => size,
    read: (index) => {
      read.push(index);
      if (index === 99) return Promise.reject(new Error('unreadable'));
      return Promise.resolve({ piece: memory.sealed.take(size), digest: '', tag: '' });
    },
  });
  return { lent, out, read };
}

test('however many connections ask for big pieces, only some of these are in memory at a time', async () => {
  const { lent, out, read } = lending(BIG, 2);
  const got: number[] = [];
  const asked = Array.from({ length: 12 }, async (_, index) => {
    const piece = await lent.borrow(index);
    got.push(index);
    await settle();
    piece.letGo();
  });
  await Promise.all(asked);
  expect(got).toEqual(Array.from({ length: 12 }, (_, index) => index));
  expect(out.most).toBe(2 * BIG);
  // The last one is kept: who asks for it again waits for nothing.
  (await lent.borrow(11)).letGo();
  expect(read).toHaveLength(12);
});

test('a big piece that cannot be read leaves its memory to the next one', async () => {
  const { lent } = lending(BIG, 1);
  await expect(lent.borrow(99)).rejects.toThrow('unreadable');
  (await lent.borrow(1)).letGo();
  (await lent.borrow(2)).letGo();
  const held = await lent.borrow(3);
  const waiting = lent.borrow(4);
  waiting.catch(() => undefined);
  await lent[Symbol.asyncDispose]();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  held.letGo();
});

test('pieces of the usual size wait for nobody', async () => {
  const { lent, out } = lending(BIG_PIECE_BYTES, 1);
  const pieces = await Promise.all(Array.from({ length: 5 }, (_, index) => lent.borrow(index)));
  expect(out.most).toBe(5 * BIG_PIECE_BYTES);
  for (const piece of pieces) piece.letGo();
});
