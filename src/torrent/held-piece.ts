import type { PieceBuffers } from './piece-buffers.ts';

/** A piece in pooled memory: it becomes another piece when the last holder has let it go. */
export class HeldPiece {
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly #buffers: Pick<PieceBuffers, 'give'>;
  #holders: number;

  constructor(bytes: Buffer<SharedArrayBuffer>, buffers: Pick<PieceBuffers, 'give'>, holders: number) {
    this.bytes = bytes;
    this.#buffers = buffers;
    this.#holders = holders;
  }

  hold(): this {
    if (this.#holders <= 0) throw new Error('the piece was let go');
    this.#holders += 1;
    return this;
  }

  /** Once for each holder. */
  letGo(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#buffers.give(this.bytes);
  }
}
