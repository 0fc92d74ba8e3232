import type { Clock } from './clock.ts';

interface Bucket {
  tokens: number;
  filledMs: number;
  /** What goes as soon as it may. */
  next: (() => Promise<void>) | null;
}

interface ThrottleDeps {
  readonly burst: number;
  readonly intervalMs: number;
  readonly clock: Clock;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/** Lets a few tasks of one key through at once and then one per interval; of those that wait only the newest is kept. */
export class Throttle {
  readonly #deps: ThrottleDeps;
  readonly #buckets = new Map<string, Bucket>();

  constructor(deps: ThrottleDeps) {
    this.#deps = deps;
  }

  /** Resolves with the task when it goes at once, and immediately when it waits. */
  async run(key: string, task: () => Promise<void>): Promise<void> {
    const bucket = this.#filled(key);
    if (bucket.next === null && bucket.tokens >= 1) {
      bucket.tokens -= 1;
      await task();
      return;
    }
    const isWaiting = bucket.next !== null;
    bucket.next = task;
    if (!isWaiting) this.#deps.spawn('throttled', (signal) => this.#later(bucket, signal));
  }

  async #later(bucket: Bucket, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#deps;
    await clock.sleep(Math.ceil((1 - bucket.tokens) * intervalMs), signal);
    const task = bucket.next;
    bucket.next = null;
    // Exactly what was waited for is spent.
    bucket.tokens = 0;
    bucket.filledMs = clock.monotonic();
    await task?.();
  }

  #filled(key: string): Bucket {
    const { burst, intervalMs, clock } = this.#deps;
    const now = clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledMs: now, next: null };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.filledMs) / intervalMs);
    bucket.filledMs = now;
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
