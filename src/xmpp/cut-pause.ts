import type { Clock } from '../base/clock.ts';

/** A pause that news may end early. */
export class CutPause {
  readonly #clock: Clock;
  #over = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the one of now. */
  cut(): void {
    this.#over.abort();
  }

  /** Resolves after `ms`, or earlier when it is cut; rejects when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    this.#over = new AbortController();
    await this.#clock.sleep(ms, AbortSignal.any([signal, this.#over.signal])).catch(() => signal.throwIfAborted());
  }
}
