import type { Bucket } from './limits.ts';

/** Several limits that hold at once: what moves is counted by each of them. */
export class BucketChain implements Bucket {
  readonly #buckets: readonly Bucket[];

  /** The one that fewest share comes first: whoever waits for it stands in nobody's way at the others. */
  constructor(...buckets: readonly Bucket[]) {
    this.#buckets = buckets;
  }

  /** Of the slowest. */
  get rate(): number {
    return this.#buckets.reduce((least, { rate }) => (rate > 0 && (least === 0 || rate < least) ? rate : least), 0);
  }

  get open(): boolean {
    return this.#buckets.every((bucket) => bucket.open);
  }

  debit(bytes: number): void {
    for (const bucket of this.#buckets) bucket.debit(bytes);
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    for (const bucket of this.#buckets) await bucket.take(bytes, signal);
  }
}
