import { Assembly } from './assembly.ts';
import type { PieceBuffers } from './piece-buffers.ts';

/** Pieces begun and not yet on the disk, in bytes; two pieces at least, so that one comes while the other is written. */
const MOST_BYTES = 32 * 1024 * 1024;
const FEWEST_PIECES = 2;
/** What of them waits for its check or the disk, above which no further ones are begun. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;
const MOST_WAITING = 32;

export interface AssembliesDeps {
  readonly pieceLength: number;
  readonly pieceSize: (piece: number) => number;
  readonly buffers: PieceBuffers;
}

/** The pieces of one torrent that are being put together, in bounded memory. */
export class Assemblies {
  readonly #deps: AssembliesDeps;
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #open = new Map<number, Assembly>();
  readonly #waiting = new Set<Assembly>();

  constructor(deps: AssembliesDeps) {
    this.#deps = deps;
    const pieces = (bytes: number): number => Math.max(FEWEST_PIECES, Math.floor(bytes / deps.pieceLength));
    this.#most = pieces(MOST_BYTES);
    this.#mostWaiting = Math.min(MOST_WAITING, pieces(MOST_WAITING_BYTES));
  }

  /** The piece, begun now if there is room for it; null when not. */
  begin(piece: number): Assembly | null {
    const known = this.#open.get(piece);
    if (known !== undefined) return known;
    if (this.#waiting.size >= this.#mostWaiting) return null;
    if (this.#open.size >= this.#most && !this.#abandonOne()) return null;
    const assembly = new Assembly(piece, this.#deps.buffers.take(this.#deps.pieceSize(piece)));
    this.#open.set(piece, assembly);
    return assembly;
  }

  /** null when the piece is not begun. */
  get(piece: number): Assembly | null {
    return this.#open.get(piece) ?? null;
  }

  /** Its last block is here: it waits to be checked and written. */
  completed(assembly: Assembly): void {
    this.#waiting.add(assembly);
  }

  /** Nobody may use its bytes afterwards. */
  close(assembly: Assembly): void {
    this.#waiting.delete(assembly);
    if (this.#open.get(assembly.piece) !== assembly) return;
    this.#open.delete(assembly.piece);
    this.#deps.buffers.give(assembly.bytes);
  }

  /** What only an absent peer had must not keep others from being asked. */
  #abandonOne(): boolean {
    for (const assembly of this.#open.values()) {
      if (!assembly.isIdle) continue;
      this.close(assembly);
      return true;
    }
    return false;
  }
}
