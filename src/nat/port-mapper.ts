import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { FindGateway, TransportProtocol } from './gateway.ts';
import { GatewaySearch } from './gateway-search.ts';
import { KeptPort } from './kept-port.ts';

export interface PortMapperDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly finders: readonly FindGateway[];
}

/** Keeps ports of this machine open on the home router. Silent until the first port is asked for. */
export class PortMapper implements AsyncDisposable {
  readonly #deps: PortMapperDeps;
  readonly #search: GatewaySearch;
  readonly #ports = new Set<KeptPort>();

  constructor(deps: PortMapperDeps) {
    this.#deps = deps;
    this.#search = new GatewaySearch(deps);
  }

  /** Opens a port until the returned object is disposed. */
  keep(protocol: TransportProtocol, internalPort: number): KeptPort {
    const { clock, log, random } = this.#deps;
    const onDisposed = (): void => void this.#ports.delete(port);
    const deps = { clock, log, random: () => randomFraction(random), search: this.#search, onDisposed };
    const port = new KeptPort(deps, { protocol, internalPort });
    this.#ports.add(port);
    return port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#ports, (port) => port[Symbol.asyncDispose]()));
    await this.#search[Symbol.asyncDispose]();
  }
}
