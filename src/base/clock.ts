/** The only source of time: tests replace it by a virtual one. */
export interface Clock {
  /** Wall time, milliseconds since the epoch; may jump, so it is for display and protocol fields only. */
  now(): number;
  /** Milliseconds that never go back: for durations and deadlines. */
  monotonic(): number;
  /** Resolves after `ms`, rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
