import type { Clock } from '../base/clock.ts';

/** A wait that somebody may cut short, but never below a least time: however often it is asked, it makes no storm. */
export class Pause {
  readonly #deps: { readonly clock: Clock; readonly leastMs: number };
  #isWanted = false;
  #waiting: AbortController | null = null;

  constructor(deps: { readonly clock: Clock; readonly leastMs: number }) {
    this.#deps = deps;
  }

  /** Ends the wait under way, or else the next one, after the least time. */
  cutShort(): void {
    this.#isWanted = true;
    this.#waiting?.abort();
  }

  /** Resolves with whether it was cut short. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    const { clock, leastMs } = this.#deps;
    await clock.sleep(leastMs, signal);
    if (!this.#isWanted && ms > leastMs) await this.#rest(ms - leastMs, signal);
    const wasWanted = this.#isWanted;
    this.#isWanted = false;
    return wasWanted;
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    try {
      await this.#deps.clock.sleep(ms, AbortSignal.any([signal, waiting.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!waiting.signal.aborted) throw error;
    } finally {
      this.#waiting = null;
    }
  }
}
