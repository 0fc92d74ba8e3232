import { hasBit, setBit } from '../base/bitfield.ts';

/** Which pieces the other end of a connection told that it holds. */
export class PeerPieces {
  readonly #bits: Uint8Array;
  readonly #count: number;
  #held = 0;

  constructor(pieceCount: number) {
    this.#count = pieceCount;
    this.#bits = new Uint8Array(Math.ceil(pieceCount / 8));
  }

  get held(): number {
    return this.#held;
  }

  get complete(): boolean {
    return this.#held === this.#count;
  }

  has(piece: number): boolean {
    return hasBit(this.#bits, piece);
  }

  /** False when it was known before. */
  add(piece: number): boolean {
    if (piece >= this.#count || this.has(piece)) return false;
    setBit(this.#bits, piece);
    this.#held += 1;
    return true;
  }

  /** `bitfield` in BEP 3 bit order, of the right length. */
  replace(bitfield: Uint8Array): void {
    this.#bits.fill(0);
    this.#held = 0;
    for (let piece = 0; piece < this.#count; piece += 1) {
      if (hasBit(bitfield, piece)) this.add(piece);
    }
  }

  fill(): void {
    for (let piece = 0; piece < this.#count; piece += 1) this.add(piece);
  }
}
