import type { Clock } from '../base/clock.ts';
import type { NetworkState } from '../contract/swarm.ts';

/** What changes nothing but a time is told no more often than this. */
const TIMES_MS = 30_000;

export interface NetworkReporterDeps {
  readonly clock: Clock;
  readonly look: () => NetworkState;
  readonly tell: (network: NetworkState) => void;
}

/** Tells how the network stands, when that changed and whenever it is asked to look: once a second. */
export class NetworkReporter {
  readonly #deps: NetworkReporterDeps;
  #told = '';
  #toldTimes = '';
  #toldMs = -Infinity;

  constructor(deps: NetworkReporterDeps) {
    this.#deps = deps;
  }

  look(): void {
    const network = this.#deps.look();
    const nowMs = this.#deps.clock.monotonic();
    const timeless = { ...network, attempts: network.attempts.map((attempt) => ({ ...attempt, atMs: 0 })) };
    const text = JSON.stringify(timeless);
    const times = JSON.stringify(network.attempts);
    if (text === this.#told && (times === this.#toldTimes || nowMs - this.#toldMs < TIMES_MS)) return;
    this.#told = text;
    this.#toldTimes = times;
    this.#toldMs = nowMs;
    this.#deps.tell(network);
  }
}
