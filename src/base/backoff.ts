/** Limits of a retry delay, in milliseconds. */
export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * The delay before retry number `attempt` (0 = first), in milliseconds.
 * `random` gives a number in [0, 1).
 */
export function backoffDelay(attempt: number, limits: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(attempt, 30));
  // Equal jitter: a whole family reconnecting after a power cut must not hit the server at once, nor wait for nothing.
  return ceiling / 2 + (random() * ceiling) / 2;
}
