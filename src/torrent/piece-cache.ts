import type { HeldPiece } from './held-piece.ts';

/** The pieces used last, up to a number of bytes. */
export class PieceCache {
  readonly #limit: number;
  /** Least recently used first. */
  readonly #pieces = new Map<number, HeldPiece>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get(index: number): HeldPiece | undefined {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return undefined;
    this.#pieces.delete(index);
    this.#pieces.set(index, piece);
    return piece;
  }

  set(index: number, piece: HeldPiece): void {
    this.delete(index);
    this.#pieces.set(index, piece.hold());
    this.#bytes += piece.bytes.length;
    for (const oldest of this.#pieces.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.delete(oldest);
    }
  }

  delete(index: number): void {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return;
    this.#pieces.delete(index);
    this.#bytes -= piece.bytes.length;
    piece.letGo();
  }

  clear(): void {
    for (const index of Array.from(this.#pieces.keys())) this.delete(index);
  }
}
