import type { Clock } from './clock.ts';

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** Lets `burst` things of one key through at once, and then one per interval; what is more is refused. */
export class RateLimit {
  readonly #deps: { readonly burst: number; readonly intervalMs: number; readonly clock: Clock };
  readonly #buckets = new Map<string, Bucket>();

  constructor(deps: { readonly burst: number; readonly intervalMs: number; readonly clock: Clock }) {
    this.#deps = deps;
  }

  /** Whether one more may pass now. */
  take(key: string): boolean {
    const { burst, intervalMs, clock } = this.#deps;
    const now = clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledMs: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.filledMs) / intervalMs);
    bucket.filledMs = now;
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
