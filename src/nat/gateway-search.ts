import type { Logger } from '../base/log.ts';
import type { FindGateway, Gateway } from './gateway.ts';

export interface GatewaySearchDeps {
  readonly log: Logger;
  /** All are asked at once. */
  readonly finders: readonly FindGateway[];
}

type Found = Gateway | undefined;

/** Looks for routers in all protocols at once; who asks while a search runs shares it. */
export class GatewaySearch implements AsyncDisposable {
  readonly #deps: GatewaySearchDeps;
  readonly #abort = new AbortController();
  #running: readonly Promise<Found>[] | null = null;

  constructor(deps: GatewaySearchDeps) {
    this.#deps = deps;
  }

  /** The routers in the order in which they answer. */
  async *find(signal: AbortSignal): AsyncGenerator<Gateway, void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    // Nobody may be waiting when the signal aborts.
    aborted.promise.catch(() => undefined);
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const running = this.#search().map((found, index) => found.then((gateway) => ({ index, gateway })));
      const waiting = new Map(running.entries());
      while (waiting.size > 0) {
        const { index, gateway } = await Promise.race([...waiting.values(), aborted.promise]);
        waiting.delete(index);
        if (gateway !== undefined) yield gateway;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running ?? []);
  }

  #search(): readonly Promise<Found>[] {
    if (this.#running !== null) return this.#running;
    const running = this.#deps.finders.map((finder) => this.#tryOne(finder));
    this.#running = running;
    void Promise.all(running).then(() => {
      this.#running = null;
    });
    return running;
  }

  async #tryOne(finder: FindGateway): Promise<Found> {
    try {
      return await finder(this.#abort.signal);
    } catch (error) {
      // A router speaks some of the protocols or none; the others tell.
      if (!this.#abort.signal.aborted) this.#deps.log.debug('no router by this protocol', { error });
      return undefined;
    }
  }
}
