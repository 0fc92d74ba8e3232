import { CacheBudget } from './cache-budget.ts';
import { MemoryTurns } from './memory-turns.ts';
import { PieceBuffers } from './piece-buffers.ts';

/** Of pieces larger than this only some are lent at a time; our own items have such from 400 GB on. */
export const BIG_PIECE_BYTES = 4 * 1024 * 1024;
const BIG_PIECES_BYTES = 128 * 1024 * 1024;

/** Plain bytes and what goes to peers never lie in the same memory. */
export interface PieceMemory {
  readonly plain: PieceBuffers;
  readonly sealed: PieceBuffers;
  readonly cached: CacheBudget;
  /** For the memory of pieces that are being put together. */
  readonly turns: MemoryTurns;
  /** For big pieces, as long as somebody has them. */
  readonly big: MemoryTurns;
}

export function createPieceMemory(): PieceMemory {
  return {
    plain: new PieceBuffers(),
    sealed: new PieceBuffers(),
    cached: new CacheBudget(),
    turns: new MemoryTurns(),
    big: new MemoryTurns({ limitBytes: BIG_PIECES_BYTES }),
  };
}
