import type { PieceRange } from './piece-range.ts';
import { RarestFirst } from './rarest-first.ts';
import { ReaderWindows } from './reader-windows.ts';

export interface Candidate {
  readonly piece: number;
  /** A reader waits for it: a block may be taken over from a slow peer. */
  readonly urgent: boolean;
  /** Nobody was asked for it yet, nor for any that follows. */
  readonly isFresh: boolean;
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

/** Decides which pieces are wanted next: windows of readers, then what is begun, then the rarest. */
export class PiecePicker {
  readonly #deps: PickerDeps;
  readonly #windows = new ReaderWindows();
  /** Wanted in the background, and nobody was asked for it. */
  readonly #fresh: RarestFirst;
  readonly #begun = new Set<number>();
  /** Pieces that failed their check: fetched from one peer alone, so that a second failure has one author. */
  readonly #alone = new Map<number, string | null>();
  #returned = 0;

  constructor(deps: PickerDeps) {
    this.#deps = deps;
    this.#fresh = new RarestFirst(deps);
    for (const { from, to } of deps.background ?? [{ from: 0, to: deps.pieceCount }]) {
      for (let piece = from; piece < to; piece += 1) if (!deps.have(piece)) this.#fresh.add(piece);
    }
  }

  /** Grows when pieces that were begun, or here, are to be begun anew. */
  get returned(): number {
    return this.#returned;
  }

  /** An empty range drops the reader. True when the window jumped, so that older requests are in its way. */
  setWindow(reader: string, range: PieceRange): boolean {
    if (range.from >= range.to) return this.#windows.delete(reader) && this.#deps.background !== null;
    const { pieceCount } = this.#deps;
    return this.#windows.set(reader, { from: Math.max(0, range.from), to: Math.min(range.to, pieceCount) });
  }

  get reading(): boolean {
    return this.#windows.size > 0;
  }

  inWindow(piece: number): boolean {
    return this.#windows.has(piece);
  }

  wanted(piece: number): boolean {
    return !this.#deps.have(piece) && (this.#inBackground(piece) || this.inWindow(piece));
  }

  /** Whether anything is left to fetch, from whichever peer. */
  get wantsAnything(): boolean {
    if (this.#fresh.size > 0) return true;
    for (const piece of this.#begun) if (this.wanted(piece)) return true;
    for (const { from, to } of this.#windows.values()) {
      for (let piece = from; piece < to; piece += 1) if (!this.#deps.have(piece)) return true;
    }
    return false;
  }

  /** A peer told that it holds a piece (`by` 1) or left (`by` -1). */
  count(piece: number, by: 1 | -1): void {
    this.#fresh.count(piece, by);
  }

  countAll(has: (piece: number) => boolean, by: 1 | -1): void {
    this.#fresh.countAll(has, by);
  }

  begun(piece: number, peer: string): void {
    if (!this.#begun.has(piece)) this.#windows.begun(piece);
    this.#begun.add(piece);
    this.#fresh.remove(piece);
    if (this.#alone.get(piece) === null) this.#alone.set(piece, peer);
  }

  verified(piece: number): void {
    this.#begun.delete(piece);
    this.#alone.delete(piece);
    this.#fresh.remove(piece);
  }

  /** The piece failed its check. */
  failed(piece: number): void {
    this.#alone.set(piece, null);
    this.lost(piece);
  }

  /** The piece is to be fetched once more. */
  lost(piece: number): void {
    this.#begun.delete(piece);
    if (this.#inBackground(piece)) this.#fresh.add(piece);
    this.#returned += 1;
  }

  /** Nothing comes from this peer any more, or not now. */
  peerLeft(peer: string): void {
    for (const [piece, owner] of this.#alone) if (owner === peer) this.#alone.set(piece, null);
  }

  /** Part of the piece was taken back, to be asked for elsewhere. */
  takenBack(piece: number): void {
    if (this.#alone.has(piece)) this.#alone.set(piece, null);
  }

  /** What to ask this peer for, the most wanted first. */
  *candidates(peer: string, peerHas: (piece: number) => boolean, withFresh = true): Generator<Candidate> {
    const usable = (piece: number): boolean => !this.#deps.have(piece) && peerHas(piece) && this.#mayAsk(piece, peer);
    for (const candidate of this.#windows.candidates(usable)) yield { ...candidate, isFresh: false };
    for (const piece of this.#begun) {
      if (usable(piece) && this.#inBackground(piece)) yield { piece, urgent: false, isFresh: false };
    }
    if (!withFresh) return;
    for (const piece of this.#fresh) if (usable(piece)) yield { piece, urgent: false, isFresh: true };
  }

  #mayAsk(piece: number, peer: string): boolean {
    return (this.#alone.get(piece) ?? peer) === peer;
  }

  #inBackground(piece: number): boolean {
    const { background } = this.#deps;
    return background === null || background.some(({ from, to }) => piece >= from && piece < to);
  }
}
