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
  readonly log: Logger;
}

/** The oldest are forgotten. */
const MOST_MARKED = 100;

/** Knows which network this computer is in, and keeps it from showing itself in those the person called public. */
export class NetworkPlaces implements Disposable {
  readonly #deps: NetworkPlacesDeps;
  readonly #queue = new SerialQueue();
  readonly #stop: () => void;
  #addresses = '';

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

  /** Looks where this computer is, and tells the swarm whether it may show itself there. */
  look(signal: AbortSignal): Promise<PlaceView> {
    return this.#queue.run(async () => {
      const view = await this.#view(signal);
      await this.#deps.feed.setDiscovery(!view.isPublic);
      return view;
    });
  }

  /** Calls the network of now public, or no longer; `not-found` when it cannot be told from others. */
  async setPublic(isPublic: boolean, signal: AbortSignal): Promise<PlaceView> {
    const { marked } = this.#deps;
    const network = await this.#network(signal);
    if (network === null) throw new AppError('not-found', 'this network cannot be told from others');
    const others = marked.get().filter((one) => one !== network);
    await marked.set((isPublic ? [...others, network] : others).slice(-MOST_MARKED));
    return await this.look(signal);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  async #view(signal: AbortSignal): Promise<PlaceView> {
    const network = await this.#network(signal);
    return { network, isPublic: network !== null && this.#deps.marked.get().includes(network) };
  }

  /** Router and address range, as `192.168.1.1 in 192.168.1.0/24`. */
  async #network(signal: AbortSignal): Promise<string | null> {
    const { gateways, ownNetworks, log } = this.#deps;
    try {
      const routers = await gateways(signal);
      for (const router of routers) {
        const range = ownNetworks()
          .map(networkOf)
          .find((one) => one !== undefined && isInNetwork(router, one));
        if (range !== undefined) return `${router} in ${range}`;
      }
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (errorCode(error) !== 'not-found') log.warn('the network is not recognised', { error });
      return null;
    }
  }
}
