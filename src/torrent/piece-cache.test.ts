import { expect, test } from 'vitest';
import { CacheBudget } from './cache-budget.ts';
import { HeldPiece } from './held-piece.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { PieceCache } from './piece-cache.ts';

const PIECE = 1000;

test('the caches of many torrents keep no more together than one may, and what was used last', () => {
  const buffers = new PieceBuffers();
  const budget = new CacheBudget({ limitBytes: 4 * PIECE });
  const caches = Array.from({ length: 10 }, () => new PieceCache({ limitBytes: 2 * PIECE, budget }));
  const put = (cache: PieceCache | undefined, index: number): void => {
    const piece = new HeldPiece(buffers.take(PIECE), buffers, 1);
    cache?.set(index, piece);
    piece.letGo();
  };
  for (const cache of caches) {
    for (const index of [0, 1, 2]) put(cache, index);
    // Whoever asks for it again keeps it.
    caches[0]?.get(2);
  }
  const kept = caches.map((cache) => [0, 1, 2].filter((index) => cache.get(index) !== undefined));
  expect(kept).toEqual([[2], [], [], [], [], [], [], [], [2], [1, 2]]);
  expect(budget.bytes).toBe(4 * PIECE);
  for (const cache of caches) cache.clear();
  expect(budget.bytes).toBe(0);
});

test('members of twenty items at a time, who ask for little each time, have each piece read once', () => {
  const buffers = new PieceBuffers();
  const budget = new CacheBudget();
  const length = 1024 * 1024;
  const caches = Array.from({ length: 20 }, () => new PieceCache({ limitBytes: 4 * length, budget }));
  let readings = 0;
  const ask = (cache: PieceCache, index: number): void => {
    if (cache.get(index) !== undefined) return;
    readings += 1;
    const piece = new HeldPiece(buffers.take(length), buffers, 1);
    cache.set(index, piece);
    piece.letGo();
  };
  for (let request = 0; request < 64; request += 1) for (const cache of caches) ask(cache, request >> 4);
  expect(readings).toBe(20 * 4);
});
