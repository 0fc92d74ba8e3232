import { hasBit } from '../base/bitfield.ts';

/** Pieces that a torrent is to have here, windows of readers aside: all, or those of parts that were chosen. */
export class PiecesToCome {
  /** In their order. */
  readonly pieces: readonly number[];
  readonly #all: ReadonlySet<number>;
  readonly #lacking = new Set<number>();
  readonly #earlier = new Set<number>();

  /** `bitfield`: those that an earlier run wrote; `synced`: those that it put on the disk for good. */
  constructor(pieces: readonly number[], bitfield: Uint8Array, synced: readonly number[] = []) {
    this.pieces = pieces;
    this.#all = new Set(pieces);
    const known = new Set(synced);
    for (const piece of pieces) {
      if (!hasBit(bitfield, piece)) this.#lacking.add(piece);
      else if (!known.has(piece)) this.#earlier.add(piece);
    }
  }

  /** How many of them. */
  get lacking(): number {
    return this.#lacking.size;
  }

  get areHere(): boolean {
    return this.#lacking.size === 0;
  }

  /** Written by an earlier run, which did not come to the end: read back once before the download is called complete. */
  get earlier(): ReadonlySet<number> {
    return this.#earlier;
  }

  /** Gives whether it was the last that was lacking. */
  came(piece: number): boolean {
    this.#earlier.delete(piece);
    return this.#lacking.delete(piece) && this.areHere;
  }

  /** Those of earlier runs were read back, and these are not on the disk. */
  compared(bad: readonly number[]): void {
    this.#earlier.clear();
    // A neighbour's other pieces, which a reader asked for, may be among them.
    for (const piece of bad) if (this.#all.has(piece)) this.#lacking.add(piece);
  }
}
