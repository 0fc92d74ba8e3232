import type { Scope } from '../base/scope.ts';
import type { NetworkState, SwarmEvent } from '../contract/swarm.ts';
import type { EndpointExchange } from '../spheres/endpoint-exchange.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { XmppClient } from '../xmpp/client.ts';

interface NetworkWatchDeps {
  readonly client: Pick<XmppClient, 'onState' | 'checkNow'>;
  readonly feed: Pick<SwarmFeed, 'onEvent' | 'networkChanged'>;
  readonly exchange: Pick<EndpointExchange, 'tellAll'>;
  readonly scope: Pick<Scope, 'spawn'>;
}

/** What one side learns about the network is told to the other: the XMPP connection and the swarm share it. */
export class NetworkWatch implements Disposable {
  readonly #deps: NetworkWatchDeps;
  readonly #stops: (() => void)[];
  #wasOffline = false;
  /** Our addresses as the swarm told them last; null = never. */
  #addresses: string | null = null;
  #suspect = 0;

  constructor(deps: NetworkWatchDeps) {
    this.#deps = deps;
    this.#stops = [
      deps.feed.onEvent.on((event) => this.#take(event)),
      deps.client.onState.on(({ kind }) => {
        if (kind === 'offline') this.#wasOffline = true;
        if (kind !== 'online' || !this.#wasOffline) return;
        this.#wasOffline = false;
        deps.scope.spawn('tell that the network is back', () => deps.feed.networkChanged());
        // What changed while we could not speak: in a session that goes on nobody sees us arrive.
        deps.scope.spawn('tell addresses', () => deps.exchange.tellAll());
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #take(event: SwarmEvent): void {
    if (event.kind !== 'network') return;
    const addresses = addressesOf(event.network);
    const isElsewhere = this.#addresses !== null && this.#addresses !== addresses;
    // Each connection more that falls silent is a reason, each one less is none.
    const isDoubtful = event.network.suspect > this.#suspect;
    this.#addresses = addresses;
    this.#suspect = event.network.suspect;
    if (isElsewhere || isDoubtful) this.#deps.client.checkNow();
  }
}

/** What changes when a cable is pulled, another network is entered or the provider gives a new address. */
function addressesOf({ interfaces, ports }: NetworkState): string {
  const outside = ports.map(({ outside: address }) => address?.replace(/:\d+$/, '') ?? '');
  return JSON.stringify([interfaces.map(({ address }) => address).toSorted(), [...new Set(outside)].toSorted()]);
}
