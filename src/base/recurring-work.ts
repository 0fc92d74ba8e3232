import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

interface RecurringWorkDeps {
  /** What is done each time; gives how many milliseconds later there is something to do again. */
  readonly pass: (signal: AbortSignal) => Promise<number>;
  /** How long to wait after a pass that failed, in milliseconds. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Without a reason of our own each time an error would be made, with its stack. */
const OVER = new Error('the wait is over');

/** Work that is gone through whenever something happened, and at the moment that it named itself. */
export class RecurringWork {
  readonly #deps: RecurringWorkDeps;
  #wake: () => void = () => undefined;

  constructor(deps: RecurringWorkDeps) {
    this.#deps = deps;
  }

  /** Something happened: also what comes during a pass is followed by another one. */
  wake(): void {
    this.#wake();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const state = { isWoken: false };
      const woken = new Promise<void>((resolve) => {
        this.#wake = () => {
          state.isWoken = true;
          resolve();
        };
      });
      const waitMs = await this.#passOrWait(signal);
      if (state.isWoken) continue;
      const timer = new AbortController();
      const slept = this.#deps.clock.sleep(waitMs, AbortSignal.any([signal, timer.signal])).catch(() => {
        // Aborted because something woke us or the program stops: the loop's condition decides.
      });
      await Promise.race([woken, slept]);
      timer.abort(OVER);
    }
  }

  /** A disk that refuses to note how far we are must not end the work: what is not noted is done again. */
  async #passOrWait(signal: AbortSignal): Promise<number> {
    const { pass, retryMs, log } = this.#deps;
    try {
      return await pass(signal);
    } catch (error) {
      if (!signal.aborted) log.error('work not gone through', { error });
      return retryMs;
    }
  }
}
