import { createHash } from 'node:crypto';
import { fromHex, toHex } from '../base/bytes.ts';
import type { RandomBytes } from '../base/random.ts';

export const TAG_BYTES = 16;
/** What the tag is over, then the tag. */
const RECORD_BYTES = 1 + TAG_BYTES;
/** Of half a million pieces. */
const MOST_BYTES = 500_000 * RECORD_BYTES;
const KINDS = ['sealed', 'plain'] as const;

/** Over the ciphertext as it was locked, or over the plain bytes as they were unlocked. */
export interface PieceTag {
  readonly over: (typeof KINDS)[number];
  /** Hex. */
  readonly tag: string;
}

/** The tags of one torrent. */
export class TagList {
  readonly #records: Uint8Array;

  constructor(pieces: number) {
    this.#records = new Uint8Array(pieces * RECORD_BYTES);
  }

  get bytes(): number {
    return this.#records.length;
  }

  get(index: number): PieceTag | null {
    const record = this.#records.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
    const over = KINDS[(record[0] ?? 0) - 1];
    return over === undefined ? null : { over, tag: toHex(record.subarray(1)) };
  }

  /** Nothing is kept of a tag that could not be made. */
  set(index: number, { over, tag }: PieceTag): void {
    const bytes = fromHex(tag);
    if (bytes?.length !== TAG_BYTES || bytes.every((byte) => byte === 0)) return;
    this.#records[index * RECORD_BYTES] = KINDS.indexOf(over) + 1;
    this.#records.set(bytes, index * RECORD_BYTES + 1);
  }
}

/**
 * The tags of pieces whose SHA-1 was right since the process started. A piece that has its tag again is the same piece;
 * a tag comes along with enciphering and deciphering, and a SHA-1 takes longer than all else that sending a piece needs.
 * Tags never leave the process.
 */
export class PieceTags {
  /** For what is not enciphered. */
  readonly plainKey: Uint8Array;
  readonly #lists = new Map<string, TagList>();
  #bytes = 0;

  constructor(random: RandomBytes) {
    this.plainKey = random(32);
  }

  /** Of the torrent with these SHA-1 digests; whoever finds out a tag sets it there. */
  of(digests: Uint8Array, count: number): TagList {
    const name = createHash('sha256').update(digests).digest('hex');
    const known = this.#lists.get(name);
    const list = known ?? new TagList(count);
    this.#lists.delete(name);
    this.#lists.set(name, list);
    if (known === undefined) this.#bytes += list.bytes;
    this.#forgetOldest();
    return list;
  }

  #forgetOldest(): void {
    for (const [name, list] of this.#lists) {
      if (this.#bytes <= MOST_BYTES || this.#lists.size === 1) return;
      this.#lists.delete(name);
      this.#bytes -= list.bytes;
    }
  }
}
