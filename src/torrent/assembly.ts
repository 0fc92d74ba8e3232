import type { DeviceKey } from '../base/id.ts';

/** Blocks are asked for in whole units; the last one of a piece may be shorter. */
export const UNIT_BYTES = 16 * 1024;

const FREE = 0;
const ASKED = 1;
const HERE = 2;

export interface BlockRange {
  readonly offset: number;
  readonly length: number;
}

/** One piece while its blocks arrive. Each unit is free, asked of exactly one connection, or here. */
export class Assembly {
  readonly piece: number;
  readonly bytes: Buffer<SharedArrayBuffer>;
  /** Who sent parts of it. */
  readonly sources = new Set<DeviceKey>();
  readonly #units: Uint8Array;
  #free: number;
  #missing: number;

  constructor(piece: number, bytes: Buffer<SharedArrayBuffer>) {
    this.piece = piece;
    this.bytes = bytes;
    this.#units = new Uint8Array(Math.ceil(bytes.length / UNIT_BYTES));
    this.#free = this.#units.length;
    this.#missing = this.#units.length;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Nobody was asked for what is missing. */
  get isIdle(): boolean {
    return this.#missing > 0 && this.#free === this.#missing;
  }

  get hasFree(): boolean {
    return this.#free > 0;
  }

  /** The first free units, as one range of at most `most` bytes; null when there are none. */
  reserve(most: number): BlockRange | null {
    if (this.#free === 0) return null;
    const first = this.#units.indexOf(FREE);
    let end = first;
    const limit = first + Math.max(1, Math.floor(most / UNIT_BYTES));
    while (end < limit && this.#units[end] === FREE) end += 1;
    this.#units.fill(ASKED, first, end);
    this.#free -= end - first;
    const offset = first * UNIT_BYTES;
    return { offset, length: Math.min(end * UNIT_BYTES, this.bytes.length) - offset };
  }

  /** What was reserved will not come. */
  release(range: BlockRange): void {
    this.#free += this.#turn(range, FREE);
  }

  arrived(range: BlockRange, source: DeviceKey): void {
    this.sources.add(source);
    this.#missing -= this.#turn(range, HERE);
  }

  #turn({ offset, length }: BlockRange, state: typeof FREE | typeof HERE): number {
    const first = offset / UNIT_BYTES;
    const end = Math.ceil((offset + length) / UNIT_BYTES);
    this.#units.fill(state, first, end);
    return end - first;
  }
}
