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
    return ((this.#bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0;
  }

  /** False when it was known before. */
  add(piece: number): boolean {
    if (piece >= this.#count || this.has(piece)) return false;
    this.#bits[piece >> 3] = (this.#bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
    this.#held += 1;
    return true;
  }

  /** `bitfield` in BEP 3 bit order, of the right length. */
  replace(bitfield: Uint8Array): void {
    this.#bits.fill(0);
    this.#held = 0;
    for (let piece = 0; piece < this.#count; piece += 1) {
      if (((bitfield[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0) this.add(piece);
    }
  }

  fill(): void {
    for (let piece = 0; piece < this.#count; piece += 1) this.add(piece);
  }
}
