import type { PieceRange } from './piece-range.ts';

/** Pieces at the head of a window that may be taken over from a slow peer. */
const URGENT_PIECES = 4;
/** A window of no more, for example over the index of a film, is a head as a whole. */
const SHORT_PIECES = 16;
/** A reader that wanted nothing for long is ahead of others by so many pieces only when it goes on. */
const MOST_OWED = 4;

interface ReaderWindow extends PieceRange {
  /** So many pieces are begun before other readers go on, because somebody waits for the first of them. */
  readonly head: number;
  /** Pieces that were begun of its head. */
  headBegun: number;
  /** Pieces that were begun beyond the head: the reader with the fewest is next. */
  turns: number;
}

/** What readers wait for. The heads of all windows come first; of what is left each reader gets its share. */
export class ReaderWindows {
  readonly #windows = new Map<string, ReaderWindow>();

  /** Whether the window jumped. One that slides on keeps its turn. */
  set(reader: string, range: PieceRange): boolean {
    const before = this.#windows.get(reader);
    if (before !== undefined && range.from >= before.from && range.from < before.to) {
      this.#windows.set(reader, { ...before, ...range });
      return false;
    }
    this.#windows.delete(reader);
    const length = range.to - range.from;
    const turns = Array.from(this.#windows.values(), (other) => other.turns);
    const head = length <= SHORT_PIECES ? length : URGENT_PIECES;
    this.#windows.set(reader, { ...range, head, headBegun: 0, turns: turns.length === 0 ? 0 : Math.min(...turns) });
    return true;
  }

  /** False when there was none. */
  delete(reader: string): boolean {
    return this.#windows.delete(reader);
  }

  get size(): number {
    return this.#windows.size;
  }

  values(): Iterable<PieceRange> {
    return this.#windows.values();
  }

  has(piece: number): boolean {
    return this.#windows.values().some((window) => lies(piece, window));
  }

  /** Nobody was asked for the piece before. */
  begun(piece: number): void {
    const most = Math.max(...Array.from(this.#windows.values(), ({ turns }) => turns));
    for (const window of this.#windows.values()) {
      if (!lies(piece, window)) continue;
      if (isHead(window)) window.headBegun += 1;
      else window.turns = Math.max(window.turns, most - MOST_OWED) + 1;
    }
  }

  /** The pieces to ask for, those that are not usable left out; it heeds what is begun meanwhile. */
  *candidates(isUsable: (piece: number) => boolean): Generator<{ readonly piece: number; readonly urgent: boolean }> {
    const left = Array.from(this.#windows.values(), (window) => ({
      window,
      next: window.from,
      urgentLeft: URGENT_PIECES,
    }));
    while (left.length > 0) {
      const first = left.reduce((a, b) => (isBefore(b.window, a.window) ? b : a));
      while (first.next < first.window.to && !isUsable(first.next)) first.next += 1;
      if (first.next >= first.window.to) {
        left.splice(left.indexOf(first), 1);
        continue;
      }
      first.urgentLeft -= 1;
      yield { piece: first.next, urgent: first.urgentLeft >= 0 };
      first.next += 1;
    }
  }
}

function lies(piece: number, { from, to }: PieceRange): boolean {
  return piece >= from && piece < to;
}

function isHead({ head, headBegun }: ReaderWindow): boolean {
  return headBegun < head;
}

function isBefore(a: ReaderWindow, b: ReaderWindow): boolean {
  if (isHead(a) !== isHead(b)) return isHead(a);
  return isHead(a) ? a.headBegun < b.headBegun : a.turns < b.turns;
}
