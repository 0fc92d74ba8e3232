/** Pieces at the head of a window that may be taken over from a slow peer. */
const URGENT_PIECES = 4;
/** Changes of availability after which the rarest-first order is made anew. */
const STALE_AFTER = 64;

/** Half-open range of pieces. */
export interface PieceRange {
  readonly from: number;
  readonly to: number;
}

export interface Candidate {
  readonly piece: number;
  /** A reader waits for it: a block may be taken over from a slow peer. */
  readonly urgent: boolean;
}

export interface PickerDeps {
  readonly pieceCount: number;
  /** Whether the piece is verified and on the disk. */
  readonly have: (piece: number) => boolean;
  /** A number in [0, 1): pieces equally rare are taken in random order, so that members do not all take the same. */
  readonly random: () => number;
  /** What is fetched without any window: null = everything, [] = nothing. */
  readonly background: readonly PieceRange[] | null;
}

/** Decides which pieces are wanted next: windows of readers in order, then what is begun, then the rarest. */
export class PiecePicker {
  readonly #deps: PickerDeps;
  readonly #windows = new Map<string, PieceRange>();
  readonly #availability: Uint16Array;
  readonly #begun = new Set<number>();
  /** Pieces that failed their check: fetched from one peer alone, so that a second failure has one author. */
  readonly #alone = new Map<number, string | null>();
  readonly #tiebreak: Float64Array;
  #rarest: number[] = [];
  #changes = STALE_AFTER;

  constructor(deps: PickerDeps) {
    this.#deps = deps;
    this.#availability = new Uint16Array(deps.pieceCount);
    this.#tiebreak = Float64Array.from({ length: deps.pieceCount }, () => deps.random());
  }

  /** An empty range drops the reader. True when the window jumped, so that older requests are in its way. */
  setWindow(reader: string, range: PieceRange): boolean {
    const before = this.#windows.get(reader);
    if (range.from >= range.to) return this.#windows.delete(reader) && this.#deps.background !== null;
    this.#windows.set(reader, { from: Math.max(0, range.from), to: Math.min(range.to, this.#deps.pieceCount) });
    // A window that slides on keeps what it asked for before.
    const slides = before !== undefined && range.from >= before.from && range.from < before.to;
    return !slides;
  }

  get reading(): boolean {
    return this.#windows.size > 0;
  }

  inWindow(piece: number): boolean {
    for (const range of this.#windows.values()) if (piece >= range.from && piece < range.to) return true;
    return false;
  }

  wanted(piece: number): boolean {
    return !this.#deps.have(piece) && (this.#inBackground(piece) || this.inWindow(piece));
  }

  /** Whether anything is left to fetch, from whichever peer. */
  get wantsAnything(): boolean {
    for (let piece = 0; piece < this.#deps.pieceCount; piece += 1) if (this.wanted(piece)) return true;
    return false;
  }

  /** A peer told that it holds a piece (`by` 1) or left (`by` -1). */
  count(piece: number, by: 1 | -1): void {
    const known = this.#availability[piece];
    if (known === undefined) return;
    this.#availability[piece] = Math.max(0, known + by);
    this.#changes += 1;
  }

  countAll(has: (piece: number) => boolean, by: 1 | -1): void {
    for (let piece = 0; piece < this.#deps.pieceCount; piece += 1) if (has(piece)) this.count(piece, by);
    this.#changes += STALE_AFTER;
  }

  begun(piece: number, peer: string): void {
    this.#begun.add(piece);
    if (this.#alone.get(piece) === null) this.#alone.set(piece, peer);
  }

  verified(piece: number): void {
    this.#begun.delete(piece);
    this.#alone.delete(piece);
    this.#changes += 1;
  }

  /** The piece failed its check. */
  failed(piece: number): void {
    this.#begun.delete(piece);
    this.#alone.set(piece, null);
  }

  peerLeft(peer: string): void {
    for (const [piece, owner] of this.#alone) if (owner === peer) this.#alone.set(piece, null);
  }

  /** What to ask this peer for, the most wanted first. */
  *candidates(peer: string, peerHas: (piece: number) => boolean): Generator<Candidate> {
    const usable = (piece: number): boolean =>
      !this.#deps.have(piece) && peerHas(piece) && (this.#alone.get(piece) ?? peer) === peer;
    for (const { from, to } of this.#windows.values()) {
      let urgentLeft = URGENT_PIECES;
      for (let piece = from; piece < to; piece += 1) {
        if (!usable(piece)) continue;
        urgentLeft -= 1;
        yield { piece, urgent: urgentLeft >= 0 };
      }
    }
    for (const piece of this.#begun) if (usable(piece) && this.#inBackground(piece)) yield { piece, urgent: false };
    for (const piece of this.#order()) if (!this.#begun.has(piece) && usable(piece)) yield { piece, urgent: false };
  }

  #inBackground(piece: number): boolean {
    const { background } = this.#deps;
    return background === null || background.some(({ from, to }) => piece >= from && piece < to);
  }

  #order(): readonly number[] {
    if (this.#changes < STALE_AFTER) return this.#rarest;
    this.#changes = 0;
    const missing: number[] = [];
    for (const { from, to } of this.#deps.background ?? [{ from: 0, to: this.#deps.pieceCount }]) {
      for (let piece = from; piece < to; piece += 1) if (!this.#deps.have(piece)) missing.push(piece);
    }
    const rank = (piece: number): number => (this.#availability[piece] ?? 0) + (this.#tiebreak[piece] ?? 0);
    this.#rarest = missing.toSorted((a, b) => rank(a) - rank(b));
    return this.#rarest;
  }
}
