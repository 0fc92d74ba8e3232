import type { HeldPiece } from './held-piece.ts';

/**
 * A piece of 1 MiB, and often the next one, for each of the twenty items that a computer fetches at a time: on a slow line
 * it asks for little each time, and what is not kept is read and enciphered anew.
 */
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;

/** What the caches of all torrents keep together: who asks for many items at once fills no memory. */
export class CacheBudget {
  readonly #limit: number;
  /** Each with how it is dropped, least recently used first. */
  readonly #kept = new Map<HeldPiece, () => void>();
  #bytes = 0;

  constructor(deps: { limitBytes?: number } = {}) {
    this.#limit = deps.limitBytes ?? DEFAULT_LIMIT_BYTES;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(piece: HeldPiece, drop: () => void): void {
    this.#kept.set(piece, drop);
    this.#bytes += piece.bytes.length;
    for (const dropOldest of Array.from(this.#kept.values())) {
      // The newest stays, however large it is: it is in use now.
      if (this.#bytes <= this.#limit || this.#kept.size === 1) return;
      dropOldest();
    }
  }

  used(piece: HeldPiece): void {
    const drop = this.#kept.get(piece);
    if (drop === undefined) return;
    this.#kept.delete(piece);
    this.#kept.set(piece, drop);
  }

  /** Nothing is kept that nobody uses now. */
  clear(): void {
    for (const drop of Array.from(this.#kept.values())) drop();
  }

  remove(piece: HeldPiece): void {
    if (this.#kept.delete(piece)) this.#bytes -= piece.bytes.length;
  }
}
