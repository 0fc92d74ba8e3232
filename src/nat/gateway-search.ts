import type { Logger } from '../base/log.ts';
import type { FindGateways, Gateway } from './gateway.ts';

export interface GatewaySearchDeps {
  readonly log: Logger;
  /** Asked at each search, because routers come and go; all that it tells are asked at once. */
  readonly finders: FindGateways;
}

type Found = Gateway | undefined;

/** Looks for routers in all protocols at once; who asks while a search runs shares it. */
export class GatewaySearch implements AsyncDisposable {
  readonly #deps: GatewaySearchDeps;
  readonly #abort = new AbortController();
  #running: Promise<readonly Promise<Found>[]> | null = null;
  #ended: Promise<void> = Promise.resolve();

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
      const asked = await Promise.race([this.#search(), aborted.promise]);
      const running = asked.map((found, index) => found.then((gateway) => ({ index, gateway })));
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
    await this.#ended;
  }

  #search(): Promise<readonly Promise<Found>[]> {
    if (this.#running !== null) return this.#running;
    const running = this.#askAll();
    this.#running = running;
    this.#ended = running.then(async (asked) => {
      await Promise.all(asked);
      this.#running = null;
    });
    return running;
  }

  async #askAll(): Promise<readonly Promise<Found>[]> {
    const finders = await this.#orNothing(this.#deps.finders);
    return (finders ?? []).map((find) => this.#orNothing(find));
  }

  async #orNothing<T>(find: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await find(this.#abort.signal);
    } catch (error) {
      // A router speaks some of the protocols or none; the others tell.
      if (!this.#abort.signal.aborted) this.#deps.log.debug('no router by this protocol', { error });
      return undefined;
    }
  }
}
