import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { TransportProtocol } from './gateway.ts';
import type { GatewayFinders } from './gateway-finders.ts';
import { GatewaySearch } from './gateway-search.ts';
import { KeptPinholes } from './kept-pinholes.ts';
import { KeptPort } from './kept-port.ts';

export interface PortMapperDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly finders: GatewayFinders;
  /** The public IPv6 addresses of this machine now. */
  readonly addresses6: () => readonly string[];
  /** Calls back with the address of whoever in the home network announces a restart, until disposed. */
  readonly listen: (onRestart: (router: string) => void) => AsyncDisposable;
}

/** Keeps ports of this machine open on the home router. Silent until the first port is asked for. */
export class PortMapper implements AsyncDisposable {
  readonly #deps: PortMapperDeps;
  readonly #search: GatewaySearch;
  readonly #kept = new Set<KeptPort | KeptPinholes>();
  #listener: AsyncDisposable | null = null;

  constructor(deps: PortMapperDeps) {
    this.#deps = deps;
    this.#search = new GatewaySearch({ log: deps.log, finders: deps.finders.ports });
  }

  /** Opens a port until the returned object is disposed. */
  keep(protocol: TransportProtocol, internalPort: number): KeptPort {
    this.#hearRestarts();
    const kept = this.#keep({ protocol, internalPort }, this.#search, () => void this.#kept.delete(kept));
    this.#kept.add(kept);
    return kept;
  }

  /** Opens a port of every public IPv6 address of this machine until the returned object is disposed. */
  keepPinholes(protocol: TransportProtocol, internalPort: number): KeptPinholes {
    this.#hearRestarts();
    const { clock, log, finders, addresses6 } = this.#deps;
    const keep = (address: string): KeptPort => {
      const search = new GatewaySearch({ log, finders: finders.pinholes(address) });
      return this.#keep({ protocol, internalPort }, search, () => search[Symbol.asyncDispose]());
    };
    const onDisposed = (): void => void this.#kept.delete(kept);
    const kept = new KeptPinholes({ clock, log, addresses: addresses6, keep, onDisposed }, internalPort);
    this.#kept.add(kept);
    return kept;
  }

  /** Something is wrong outside: all routers are asked anew, each at most once in four seconds. */
  checkNow(): void {
    for (const kept of this.#kept) kept.checkNow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    await Promise.all(Array.from(this.#kept, (kept) => kept[Symbol.asyncDispose]()));
    await this.#search[Symbol.asyncDispose]();
  }

  #keep(
    port: { protocol: TransportProtocol; internalPort: number },
    search: GatewaySearch,
    onDisposed: () => void | Promise<void>,
  ): KeptPort {
    const { clock, log, random } = this.#deps;
    return new KeptPort({ clock, log, random: () => randomFraction(random), search, onDisposed }, port);
  }

  /** RFC 6887 §14.1.3: heard from our own routers only. */
  #hearRestarts(): void {
    this.#listener ??= this.#deps.listen((router) => {
      const isOurs = Array.from(this.#kept).some((kept) => kept instanceof KeptPort && kept.wasAskedOf(router));
      if (isOurs) this.checkNow();
    });
  }
}
