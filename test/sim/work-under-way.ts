import { createHook } from 'node:async_hooks';

/**
 * Work of the disk and of threads, and turns of the loop. Other cryptography that looks alike here is computed at once, and
 * timers are for the virtual clock.
 */
const IS_WORK = /^(FSREQPROMISE|FSREQCALLBACK|FILEHANDLECLOSEREQ|SCRYPTREQUEST|Immediate)$/;
/** There are very many, and none is work by itself. */
const WITHOUT_PROMISES = { trackPromises: false };

/** Knows whether anything that this process has begun is still being done, so that nobody need wait for a while to be sure. */
export class WorkUnderWay {
  readonly #begun = new Set<number>();
  readonly #hook = createHook({
    init: (id, type) => {
      if (IS_WORK.test(type) && !this.#isOurs) this.#begun.add(id);
    },
    after: (id) => this.#end(id),
    destroy: (id) => this.#end(id),
    ...WITHOUT_PROMISES,
  });
  #isOurs = false;
  readonly #waiting: (() => void)[] = [];

  constructor() {
    this.#hook.enable();
  }

  get isAny(): boolean {
    return this.#begun.size > 0;
  }

  /** Resolves after a turn of the loop and, when there is work, once some of it is done. */
  async next(): Promise<void> {
    // Of several who wait none is work to the others.
    this.#isOurs = true;
    const turn = new Promise((resolve) => setImmediate(resolve));
    this.#isOurs = false;
    await turn;
    if (this.isAny) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  forget(): void {
    this.#hook.disable();
    this.#begun.clear();
    this.#wake();
  }

  #end(id: number): void {
    if (this.#begun.delete(id)) this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
