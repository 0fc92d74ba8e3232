import type { Clock } from './clock.ts';

/** Long enough to get something done, short enough that nobody who asks meanwhile notices. */
const TURN_MS = 10;

/** For long work in small steps: whoever asks meanwhile is answered between two of them. */
export class Breather {
  readonly #clock: Clock;
  #sinceMs: number;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
    this.#sinceMs = deps.clock.monotonic();
  }

  /** To be awaited after each step; once these have taken a while, it resolves when everything that waits had its turn. */
  async breathe(): Promise<void> {
    if (this.#clock.monotonic() - this.#sinceMs < TURN_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#sinceMs = this.#clock.monotonic();
  }
}
