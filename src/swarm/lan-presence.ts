import type { Clock } from '../base/clock.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { NetworkState } from '../contract/swarm.ts';
import type { LanSphere } from '../torrent/lan-discovery.ts';
import { LanDiscovery } from '../torrent/lan-discovery.ts';
import type { LanNetwork } from '../torrent/lan-network.ts';

export interface LanPresenceDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly network: LanNetwork;
  /** Addresses that are listened on, none = all: only there is anybody told to call. */
  readonly addresses: readonly string[];
  readonly spheres: () => readonly LanSphere[];
  readonly port: () => number;
  readonly onPeer: (sphereId: SphereId, endpoint: string) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/** Whether and how this device takes part in finding members in its own networks. */
export class LanPresence {
  readonly #deps: LanPresenceDeps;
  #running: { readonly discovery: LanDiscovery; readonly stop: AbortController } | null = null;
  #shown: ReadonlySet<string> = new Set();
  #heard = 0;

  constructor(deps: LanPresenceDeps) {
    const { network, addresses } = deps;
    const isListenedOn = (address: string): boolean =>
      addresses.length === 0 || addresses.some((own) => own === address || own === '::' || own === '0.0.0.0');
    const interfaces = () => network.interfaces().filter(({ address }) => isListenedOn(address));
    this.#deps = { ...deps, network: { ...network, interfaces } };
  }

  /** Own addresses by which this device may show itself; an address that comes is silent until it is named here. */
  setAddresses(addresses: readonly string[]): void {
    this.#shown = new Set(addresses);
    const on = addresses.length > 0;
    if (on === (this.#running !== null)) {
      this.#running?.discovery.lookAgain();
      return;
    }
    this.#running?.stop.abort();
    this.#running = null;
    if (on) this.#start();
  }

  /** Spheres or keys changed. */
  lookAgain(): void {
    this.#running?.discovery.lookAgain();
  }

  /** Announcements of members. */
  get heard(): number {
    return this.#heard;
  }

  get interfaces(): NetworkState['interfaces'] {
    const states = new Map(this.#running?.discovery.states.map((state) => [state.address, state]));
    return this.#deps.network.interfaces().map(({ name, address, group }) => {
      const state = states.get(address);
      const discovery = state === undefined ? 'off' : state.failure === null ? 'on' : 'failed';
      return { name, address, family: group.family, discovery };
    });
  }

  #start(): void {
    const { network } = this.#deps;
    const stop = new AbortController();
    const interfaces = () => network.interfaces().filter(({ address }) => this.#shown.has(address));
    const discovery = new LanDiscovery({
      ...this.#deps,
      network: { ...network, interfaces },
      onPeer: (sphereId, endpoint) => this.#onPeer(sphereId, endpoint),
    });
    this.#running = { discovery, stop };
    this.#deps.spawn('find members in the own network', async (signal) => {
      try {
        await discovery.run(AbortSignal.any([signal, stop.signal]));
      } catch (error) {
        // Switched off.
        if (!stop.signal.aborted) throw error;
      }
    });
  }

  #onPeer(sphereId: SphereId, endpoint: string): void {
    this.#heard += 1;
    this.#deps.onPeer(sphereId, endpoint);
  }
}
