/** So many calls are not spaced. */
const AT_ONCE = 16;
const SPACING_MS = 10_000;

/**
 * When single full copies may be called for. There may be thousands, and what members want they are asked for all of them
 * together: these calls are for who does not answer that, and for what they learn by the way.
 */
export class LazyPace {
  /** When the last call was made, had they all been spaced; monotonic. */
  #spacedMs = -Infinity;

  /** When the next call may be made. */
  get fromMs(): number {
    return this.#spacedMs - (AT_ONCE - 1) * SPACING_MS;
  }

  /** Whether a call may be made now; then it counts. */
  take(nowMs: number): boolean {
    if (nowMs < this.fromMs) return false;
    this.#spacedMs = Math.max(this.#spacedMs, nowMs) + SPACING_MS;
    return true;
  }
}
