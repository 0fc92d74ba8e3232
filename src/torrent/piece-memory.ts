import { CacheBudget } from './cache-budget.ts';
import { MemoryTurns } from './memory-turns.ts';
import { PieceBuffers } from './piece-buffers.ts';

/** Plain bytes and what goes to peers never lie in the same memory. */
export interface PieceMemory {
  readonly plain: PieceBuffers;
  readonly sealed: PieceBuffers;
  readonly cached: CacheBudget;
  /** For the memory of pieces that are being put together. */
  readonly turns: MemoryTurns;
}

export function createPieceMemory(): PieceMemory {
  return {
    plain: new PieceBuffers(),
    sealed: new PieceBuffers(),
    cached: new CacheBudget(),
    turns: new MemoryTurns(),
  };
}
