export interface RarestFirstDeps {
  readonly pieceCount: number;
  /** A number in [0, 1): pieces equally rare are taken in random order, so that members do not all take the same. */
  readonly random: () => number;
}

/**
 * Some of the pieces of a torrent, those that the fewest peers hold first. They lie in groups of the same count, so that
 * one that changes moves past the groups between, and the others stay where they are.
 */
export class RarestFirst {
  readonly #random: () => number;
  /** Peers that hold each piece. */
  readonly #holders: Uint16Array;
  /** All pieces: group after group, and then those that are left out. */
  readonly #order: Uint32Array;
  /** Where each piece stands in the order. */
  readonly #places: Uint32Array;
  /** Where the group of pieces with as many holders ends. */
  #ends = [0];

  /** Empty at first. */
  constructor(deps: RarestFirstDeps) {
    this.#random = deps.random;
    this.#holders = new Uint16Array(deps.pieceCount);
    this.#order = Uint32Array.from({ length: deps.pieceCount }, (_, piece) => piece);
    this.#places = this.#order.slice();
  }

  get size(): number {
    return this.#end(this.#ends.length - 1);
  }

  has(piece: number): boolean {
    return this.#place(piece) < this.size;
  }

  /** Pieces may be removed meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    let at = 0;
    while (at < this.size) {
      const piece = this.#order[at] ?? 0;
      yield piece;
      // Where a removed one was stands another one now.
      if (this.#order[at] === piece) at += 1;
    }
  }

  add(piece: number): void {
    if (this.has(piece)) return;
    const holders = this.#holders[piece] ?? 0;
    while (this.#ends.length <= holders) this.#ends.push(this.size);
    this.#swap(this.#place(piece), this.size);
    for (let group = this.#ends.length - 1; group > holders; group -= 1) {
      this.#swap(this.#place(piece), this.#end(group - 1));
      this.#ends[group] = this.#end(group) + 1;
    }
    this.#ends[holders] = this.#end(holders) + 1;
    this.#shuffle(piece, holders);
  }

  remove(piece: number): void {
    if (!this.has(piece)) return;
    for (let group = this.#holders[piece] ?? 0; group < this.#ends.length; group += 1) this.#moveUp(piece, group);
  }

  /** One peer more holds the piece, or one less. */
  count(piece: number, by: 1 | -1): void {
    const before = this.#holders[piece];
    if (before === undefined || before + by < 0) return;
    this.#holders[piece] = before + by;
    if (!this.has(piece)) return;
    if (by === 1) {
      if (before + 1 === this.#ends.length) this.#ends.push(this.size);
      this.#moveUp(piece, before);
    } else {
      const start = this.#end(before - 1);
      this.#swap(this.#place(piece), start);
      this.#ends[before - 1] = start + 1;
    }
    this.#shuffle(piece, before + by);
  }

  /** The same for all pieces that a peer holds; within a group they stay in the order they were in. */
  countAll(holds: (piece: number) => boolean, by: 1 | -1): void {
    for (let piece = 0; piece < this.#holders.length; piece += 1) {
      const holders = (this.#holders[piece] ?? 0) + by;
      if (holders >= 0 && holds(piece)) this.#holders[piece] = holders;
    }
    const before = this.#order.slice(0, this.size);
    this.#ends = [0];
    for (const piece of before) {
      const holders = this.#holders[piece] ?? 0;
      while (this.#ends.length <= holders) this.#ends.push(0);
      this.#ends[holders] = this.#end(holders) + 1;
    }
    let start = 0;
    const starts = this.#ends.map((size) => (start += size) - size);
    this.#ends = this.#ends.map((size, group) => (starts[group] ?? 0) + size);
    for (const piece of before) {
      const holders = this.#holders[piece] ?? 0;
      const at = starts[holders] ?? 0;
      starts[holders] = at + 1;
      this.#order[at] = piece;
      this.#places[piece] = at;
    }
  }

  /** Out of its group, to the start of the next one or of what is left out. */
  #moveUp(piece: number, group: number): void {
    const last = this.#end(group) - 1;
    this.#swap(this.#place(piece), last);
    this.#ends[group] = last;
  }

  /** To a random place in its group, which leaves the others in random order too. */
  #shuffle(piece: number, group: number): void {
    const start = group === 0 ? 0 : this.#end(group - 1);
    this.#swap(this.#place(piece), start + Math.floor(this.#random() * (this.#end(group) - start)));
  }

  #swap(a: number, b: number): void {
    const [pieceA, pieceB] = [this.#order[a] ?? 0, this.#order[b] ?? 0];
    this.#order[a] = pieceB;
    this.#order[b] = pieceA;
    this.#places[pieceA] = b;
    this.#places[pieceB] = a;
  }

  #place(piece: number): number {
    return this.#places[piece] ?? Infinity;
  }

  #end(group: number): number {
    return this.#ends[group] ?? 0;
  }
}
