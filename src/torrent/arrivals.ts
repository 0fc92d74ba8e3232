import type { DeviceKey } from '../base/id.ts';
import type { BlockHeader } from './wire-framer.ts';

interface Arrived {
  /** Offsets of blocks that are here. */
  readonly offsets: Set<number>;
  readonly sources: Set<DeviceKey>;
  bytes: number;
}

/**
 * Who sent the pieces that webtorrent puts together out of our sight. It does not tell whose piece failed its check, but
 * it asks for one anew: of a piece of which everything had come, and that was not stored, that is what it means.
 */
export class Arrivals {
  readonly #pieceSize: (piece: number) => number;
  readonly #arrived = new Map<number, Arrived>();

  constructor(pieceSize: (piece: number) => number) {
    this.#pieceSize = pieceSize;
  }

  /** A block came that was asked for. */
  came({ piece, offset, length }: BlockHeader, source: DeviceKey): void {
    const arrived = this.#arrived.get(piece) ?? { offsets: new Set(), sources: new Set(), bytes: 0 };
    this.#arrived.set(piece, arrived);
    arrived.sources.add(source);
    if (arrived.offsets.has(offset)) return;
    arrived.offsets.add(offset);
    arrived.bytes += length;
  }

  /** A block is asked for: gives who sent the piece before when all of it had come, and was wrong. */
  asked({ piece }: BlockHeader): readonly DeviceKey[] | null {
    const arrived = this.#arrived.get(piece);
    if (arrived === undefined || arrived.bytes < this.#pieceSize(piece)) return null;
    this.#arrived.delete(piece);
    return Array.from(arrived.sources);
  }

  /** The piece was right. */
  right(piece: number): void {
    this.#arrived.delete(piece);
  }

  clear(): void {
    this.#arrived.clear();
  }
}
