/** The pieces used last, up to a number of bytes. */
export class PieceCache {
  readonly #limit: number;
  /** Least recently used first. */
  readonly #pieces = new Map<number, Uint8Array>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get(index: number): Uint8Array | undefined {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return undefined;
    this.#pieces.delete(index);
    this.#pieces.set(index, piece);
    return piece;
  }

  set(index: number, piece: Uint8Array): void {
    this.delete(index);
    this.#pieces.set(index, piece);
    this.#bytes += piece.length;
    for (const oldest of this.#pieces.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.delete(oldest);
    }
  }

  delete(index: number): void {
    const piece = this.#pieces.get(index);
    if (piece === undefined) return;
    this.#pieces.delete(index);
    this.#bytes -= piece.length;
  }

  clear(): void {
    this.#pieces.clear();
    this.#bytes = 0;
  }
}
