const DEFAULT_KEPT_BYTES = 24 * 1024 * 1024;

/**
 * Memory for whole pieces, visible to all threads and used again and again: fresh memory for each piece costs more
 * than hashing it. Taken memory holds whatever was in it before.
 */
export class PieceBuffers {
  readonly #limit: number;
  readonly #free = new Map<number, Buffer<SharedArrayBuffer>[]>();
  #keptBytes = 0;

  /** `keptBytes`: what may lie unused. */
  constructor(deps: { keptBytes?: number } = {}) {
    this.#limit = deps.keptBytes ?? DEFAULT_KEPT_BYTES;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  take(length: number): Buffer<SharedArrayBuffer> {
    const known = this.#free.get(length)?.pop();
    if (known === undefined) return Buffer.from(new SharedArrayBuffer(length));
    this.#keptBytes -= length;
    return known;
  }

  /** Nobody may use `buffer` afterwards: it becomes another piece. */
  give(buffer: Buffer<SharedArrayBuffer>): void {
    if (this.#keptBytes + buffer.length > this.#limit) return;
    this.#keptBytes += buffer.length;
    const known = this.#free.get(buffer.length);
    if (known === undefined) this.#free.set(buffer.length, [buffer]);
    else known.push(buffer);
  }

  /** Gives the memory back to the system. */
  clear(): void {
    this.#free.clear();
    this.#keptBytes = 0;
  }
}
