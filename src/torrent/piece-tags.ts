import { createHash } from 'node:crypto';
import type { RandomBytes } from '../base/random.ts';

export const TAG_BYTES = 16;
/** Of half a million pieces. */
const MOST_BYTES = 8 * 1024 * 1024;

/**
 * The tags of pieces whose SHA-1 was right since the process started. A piece that has its tag again is the same piece;
 * a tag comes along with enciphering, and a SHA-1 takes longer than all else that sending a piece needs.
 * Tags never leave the process.
 */
export class PieceTags {
  /** For what is not enciphered. */
  readonly plainKey: Uint8Array;
  readonly #lists = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(random: RandomBytes) {
    this.plainKey = random(32);
  }

  /** 16 bytes for each of a torrent's pieces, all zero where nothing is known; whoever learns a tag writes it there. */
  of(digests: Uint8Array, count: number): Uint8Array {
    const name = createHash('sha256').update(digests).digest('hex');
    const known = this.#lists.get(name);
    const list = known ?? new Uint8Array(count * TAG_BYTES);
    this.#lists.delete(name);
    this.#lists.set(name, list);
    if (known === undefined) this.#bytes += list.length;
    this.#forgetOldest();
    return list;
  }

  #forgetOldest(): void {
    for (const [name, list] of this.#lists) {
      if (this.#bytes <= MOST_BYTES || this.#lists.size === 1) return;
      this.#lists.delete(name);
      this.#bytes -= list.length;
    }
  }
}
