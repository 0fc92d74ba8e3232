import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { isInNetwork, networkOf } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { Scope } from '../base/scope.ts';
import type { PlaceView } from '../contract/app.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';

interface NetworkPlacesDeps {
  readonly feed: Pick<SwarmFeed, 'onEvent' | 'setDiscovery'>;
  /** The routers this machine sends through, the preferred one first; rejects with `not-found` without any. */
  readonly gateways: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Own addresses with their prefix, as `192.168.1.7/24`. */
  readonly ownNetworks: () => readonly string[];
  /** The networks that the person called public; kept over restarts. */
  readonly marked: { get(): readonly string[]; set(networks: readonly string[]): Promise<void> };
  readonly scope: Pick<Scope, 'spawn' | 'signal'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The oldest are forgotten. */
const MOST_MARKED = 100;
/** Routes come and go without a change of addresses. */
const WATCH_MS = 10_000;
/** A route comes after the address: for so long one whose network is not recognised may be in a public one. */
const SETTLE_MS = 15_000;

/** Knows which network this computer is in, and keeps it from showing itself in those the person called public. */
export class NetworkPlaces implements Disposable {
  readonly #deps: NetworkPlacesDeps;
  readonly #queue = new SerialQueue();
  readonly #stop: () => void;
  #addresses = '';
  /** Since when each own address is here, monotonic. */
  #sinceMs: ReadonlyMap<string, number> = new Map();

  constructor(deps: NetworkPlacesDeps) {
    this.#deps = deps;
    this.#stop = deps.feed.onEvent.on((event) => {
      if (event.kind !== 'network') return;
      const addresses = JSON.stringify(event.network.interfaces.map(({ address }) => address));
      if (addresses === this.#addresses) return;
      this.#addresses = addresses;
      deps.scope.spawn('look where we are', async (signal) => void (await this.look(signal)));
    });
  }

  /** Looks again and again for as long as there are networks to be silent in. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(WATCH_MS, signal);
      if (this.#deps.marked.get().length > 0) await this.look(signal);
    }
  }

  /** Looks where this computer is, and tells the swarm by which of its addresses it may show itself there. */
  look(signal: AbortSignal): Promise<PlaceView> {
    return this.#queue.run(async () => {
      const addresses = this.#ownAddresses();
      const networks = await this.#networks(signal);
      const marked = this.#deps.marked.get();
      await this.#deps.feed.setDiscovery(addresses.filter((address) => this.#mayShow(address, networks, marked)));
      const network = networks[0] === undefined ? null : nameOf(networks[0]);
      return { network, isPublic: network !== null && marked.includes(network) };
    });
  }

  /** Calls the network of now public, or no longer; `not-found` when it cannot be told from others. */
  async setPublic(isPublic: boolean, signal: AbortSignal): Promise<PlaceView> {
    const { marked } = this.#deps;
    const [recognised] = await this.#networks(signal);
    if (recognised === undefined) throw new AppError('not-found', 'this network cannot be told from others');
    const network = nameOf(recognised);
    const others = marked.get().filter((one) => one !== network);
    await marked.set((isPublic ? [...others, network] : others).slice(-MOST_MARKED));
    return await this.look(signal);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #ownAddresses(): string[] {
    const nowMs = this.#deps.clock.monotonic();
    const addresses = this.#deps.ownNetworks().map((cidr) => cidr.replace(/\/.*/, ''));
    this.#sinceMs = new Map(addresses.map((address) => [address, this.#sinceMs.get(address) ?? nowMs]));
    return addresses;
  }

  /** In no network that was called public, and in none that is not recognised yet and may be one. */
  #mayShow(address: string, networks: readonly Recognised[], marked: readonly string[]): boolean {
    if (marked.length === 0) return true;
    if (networks.some((network) => marked.includes(nameOf(network)))) return false;
    if (networks.some(({ range }) => isInNetwork(address, range))) return true;
    return this.#deps.clock.monotonic() - (this.#sinceMs.get(address) ?? Infinity) >= SETTLE_MS;
  }

  /** Those of this machine's networks that its routers are in, that of the preferred one first. */
  async #networks(signal: AbortSignal): Promise<Recognised[]> {
    const { gateways, ownNetworks, log } = this.#deps;
    try {
      const ranges = (await gateways(signal)).map((router) => {
        const found = ownNetworks().map(networkOf);
        return { router, range: found.find((one) => one !== undefined && isInNetwork(router, one)) };
      });
      return ranges.flatMap(({ router, range }) => (range === undefined ? [] : [{ router, range }]));
    } catch (error) {
      signal.throwIfAborted();
      if (errorCode(error) !== 'not-found') log.warn('the network is not recognised', { error });
      return [];
    }
  }
}

/** A network by which others are told from it. */
interface Recognised {
  readonly router: string;
  readonly range: string;
}

/** As `192.168.1.1 in 192.168.1.0/24`. */
const nameOf = ({ router, range }: Recognised): string => `${router} in ${range}`;
