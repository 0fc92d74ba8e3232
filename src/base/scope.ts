import type { Logger } from './log.ts';

/**
 * Owns background tasks: each gets the scope's signal, a failure is logged, and disposing aborts
 * them all and waits until the last has ended.
 */
export class Scope implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #log: Logger;

  constructor(deps: { log: Logger }) {
    this.#log = deps.log;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  spawn(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    if (this.signal.aborted) return;
    const running = this.#run(name, task).finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  async #run(name: string, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await task(this.signal);
    } catch (error) {
      // After abort an AbortError is the expected way out of a task.
      if (!this.signal.aborted) this.#log.error('task failed', { task: name, error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await Promise.allSettled(this.#tasks);
  }
}
