import type { CacheBudget } from './cache-budget.ts';
import type { HeldPiece } from './held-piece.ts';

const DEFAULT_LIMIT_BYTES = 16 * 1024 * 1024;

/** The pieces of one torrent that were used last, up to a number of bytes and what all torrents may keep. */
export class PieceCache {
  readonly #limit: number;
  readonly #budget: CacheBudget;
  /** Least recently used first. */
  readonly #pieces = new Map<number, HeldPiece>();
  #bytes = 0;

  constructor(deps: { limitBytes: number | undefined; budget: CacheBudget }) {
    this.#limit = deps.limitBytes ?? DEFAULT_LIMIT_BYTES;
    this.#budget = deps.budget;
  }

  get(index: number): HeldPiece | undefined {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return undefined;
    this.#pieces.delete(index);
    this.#pieces.set(index, piece);
    this.#budget.used(piece);
    return piece;
  }

  set(index: number, piece: HeldPiece): void {
    this.delete(index);
    const { length } = piece.bytes;
    for (const oldest of this.#pieces.keys()) {
      if (this.#bytes + length <= this.#limit) break;
      this.delete(oldest);
    }
    if (length > this.#limit) return;
    this.#pieces.set(index, piece.hold());
    this.#bytes += length;
    this.#budget.add(piece, () => this.delete(index));
  }

  delete(index: number): void {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return;
    this.#pieces.delete(index);
    this.#bytes -= piece.bytes.length;
    this.#budget.remove(piece);
    piece.letGo();
  }

  clear(): void {
    for (const index of Array.from(this.#pieces.keys())) this.delete(index);
  }
}
