import { AppError } from '../base/errors.ts';
import { HeldPiece } from './held-piece.ts';
import type { PieceCache } from './piece-cache.ts';
import type { PieceMemory } from './piece-memory.ts';
import { BIG_PIECE_BYTES } from './piece-memory.ts';
import type { SealedPiece } from './seal-piece.ts';

interface LentPiecesDeps {
  readonly memory: PieceMemory;
  readonly cache: PieceCache;
  readonly size: (index: number) => number;
  /** A piece from the disk that is certain to be right. */
  readonly read: (index: number) => Promise<SealedPiece>;
}

/** A piece being read, and how many wait for it. */
interface Loading {
  readonly piece: Promise<HeldPiece>;
  waiting: number;
}

/** The pieces of one torrent as they are lent to those who send them: read once for all who ask meanwhile. */
export class LentPieces implements AsyncDisposable {
  readonly #deps: LentPiecesDeps;
  readonly #loading = new Map<number, Loading>();
  readonly #end = new AbortController();

  constructor(deps: LentPiecesDeps) {
    this.#deps = deps;
  }

  async borrow(index: number, signal?: AbortSignal): Promise<HeldPiece> {
    const cached = this.#deps.cache.get(index);
    if (cached !== undefined) return cached.hold();
    const loading = this.#loading.get(index) ?? this.#startLoading(index);
    loading.waiting += 1;
    const piece = await loading.piece;
    if (signal?.aborted === true) piece.letGo();
    signal?.throwIfAborted();
    return piece;
  }

  /** Nothing is read any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new AppError('cancelled', 'the store is closed'));
    await Promise.allSettled(Array.from(this.#loading.values(), ({ piece }) => piece));
  }

  /** Peers ask for a piece in parts: one reading serves them all. */
  #startLoading(index: number): Loading {
    const loading: Loading = { waiting: 0, piece: this.#load(index) };
    this.#loading.set(index, loading);
    return loading;
  }

  async #load(index: number): Promise<HeldPiece> {
    const { memory, cache, size, read } = this.#deps;
    try {
      const giveBack = await this.#turn(size(index));
      const { piece } = await read(index).catch((error: unknown) => {
        giveBack();
        throw error;
      });
      const give = (bytes: typeof piece): void => {
        memory.sealed.give(bytes);
        giveBack();
      };
      // From here to the end nobody else runs, so that everybody who waits is counted.
      const held = new HeldPiece(piece, { give }, this.#loading.get(index)?.waiting ?? 0);
      // Who waits for memory would wait for ever for a piece that is merely kept.
      if (!this.#end.signal.aborted && memory.big.hasRoom(0)) cache.set(index, held);
      return held;
    } finally {
      this.#loading.delete(index);
    }
  }

  /** Each connection may hold a piece of its own: of big ones only some are in memory at a time. */
  async #turn(bytes: number): Promise<() => void> {
    const { cached, big } = this.#deps.memory;
    if (bytes <= BIG_PIECE_BYTES) return () => undefined;
    // What is merely kept makes room for what is asked for.
    if (!big.hasRoom(bytes)) cached.clear();
    return big.take(bytes, this.#end.signal);
  }
}
