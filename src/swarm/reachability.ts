import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { ReachOutcome } from '../contract/swarm.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';

/** Networks change; who said something so long ago may say something else now. */
const BELIEVED_MS = 30 * 60_000;
const MOST_WORDS = 256;

interface Word {
  readonly endpoint: string;
  readonly device: DeviceKey;
  readonly outcome: ReachOutcome;
  readonly atMs: number;
}

/** What members say of our endpoints: some routers claim to have opened a port and have not. */
export class Reachability {
  readonly #clock: Clock;
  readonly #words = new RecentMap<string, Word>(MOST_WORDS);

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  heard(device: DeviceKey, endpoint: string, outcome: ReachOutcome): void {
    const word = { endpoint, device, outcome, atMs: this.#clock.monotonic() };
    this.#words.set(`${endpoint} ${device}`, word);
  }

  /** The network is another one: nothing that was said counts. */
  forget(): void {
    this.#words.clear();
  }

  /** Nothing that was said of endpoints at other hosts counts; whether there was anything. */
  forgetElsewhere(host: string): boolean {
    const stale = Array.from(this.#words).filter(([, { endpoint }]) => parseEndpoint(endpoint)?.host !== host);
    for (const [key] of stale) this.#words.delete(key);
    return stale.length > 0;
  }

  /**
   * Some say that nobody answers there, and nobody says that they got in. One who got in outweighs any number who did
   * not: their own networks may let nothing out, and a person with several devices there says so several times.
   */
  isLie(endpoint: string): boolean {
    const said = this.#said(endpoint);
    return said.has('unreachable') && !said.has('reached');
  }

  /** Whether a member got in there lately. */
  isProven(endpoint: string): boolean {
    return this.#said(endpoint).has('reached');
  }

  #said(endpoint: string): Set<ReachOutcome> {
    const sinceMs = this.#clock.monotonic() - BELIEVED_MS;
    const words = Array.from(this.#words, ([, word]) => word);
    return new Set(
      words.filter((word) => word.endpoint === endpoint && word.atMs > sinceMs).map(({ outcome }) => outcome),
    );
  }
}
