import type { Clock } from '../base/clock.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Logger } from '../base/log.ts';
import { Throttle } from '../base/throttle.ts';
import type { EphemeralChannel, Speaker } from './ephemeral-channel.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

/** Where other members can reach this device, and how. */
export interface Candidates {
  readonly endpoints: string[];
  readonly trackers: string[];
  readonly webrtc: boolean;
}

interface EndpointExchangeDeps {
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  readonly feed: SwarmFeed;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Of each device: one that chatters makes us neither chatter ourselves nor trouble the swarm. One that is started again
 * says a few each time, as the ports open.
 */
const HEARD = { burst: 20, intervalMs: 5_000 };
/** In each sphere: somebody who joins brings several reasons at once, and those who come and go all day bring many. */
const TOLD = { burst: 20, intervalMs: 2_000 };

/** Devices whose last words are remembered: more than any sphere has; those who have gone leave. */
const MOST_HEARD = 1_024;

/** Tells members who are present where this device is, and the swarm where theirs are. Addresses are not stored. */
export class EndpointExchange {
  readonly #deps: EndpointExchangeDeps;
  /** What each device told last. */
  readonly #heard = new RecentMap<string, string>(MOST_HEARD);
  #candidates: Candidates = { endpoints: [], trackers: [], webrtc: false };
  readonly #telling: Throttle;
  readonly #hearing: Throttle;

  constructor(deps: EndpointExchangeDeps) {
    this.#deps = deps;
    this.#telling = new Throttle({ ...deps, ...TOLD });
    this.#hearing = new Throttle({ ...deps, ...HEARD });
    deps.channel.on('endpoints', (from, body) => this.#hearing.run(keyOf(from), () => this.#hear(from, body)));
  }

  /** Our own addresses changed. */
  async announce(candidates: Candidates): Promise<void> {
    this.#candidates = candidates;
    await this.tellAll();
  }

  /** We may have been away: those present in any sphere learn where we are. */
  async tellAll(): Promise<void> {
    for (const sphere of this.#deps.list.all()) await this.tell(sphere);
  }

  /** Somebody came, or keys changed: those present learn where we are. */
  tell(sphere: Sphere): Promise<void> {
    return this.#telling.run(sphere.id, () => this.#tellNow(sphere));
  }

  async #tellNow(sphere: Sphere): Promise<void> {
    const { endpoints, trackers, webrtc } = this.#candidates;
    if (endpoints.length === 0 && !webrtc) return;
    const body = { endpoints: endpoints.slice(0, 32), trackers: trackers.slice(0, 8), webrtc };
    await this.#deps.channel.say(sphere, 'endpoints', body);
  }

  async #hear(from: Speaker, body: EphemeralBodies['endpoints']): Promise<void> {
    this.#deps.channel.note(from);
    const { endpoints, trackers, webrtc = false } = body;
    const candidates = { endpoints, trackers, webrtc };
    // Not waited for: messages behind this one are read while the swarm process hangs.
    void this.#passOn({ sphereId: from.sphere.id, device: from.device, ...candidates });
    if (this.#isNews(keyOf(from), candidates)) await this.tell(from.sphere);
  }

  async #passOn(endpoints: Parameters<SwarmFeed['setEndpoints']>[0]): Promise<void> {
    try {
      await this.#deps.feed.setEndpoints(endpoints);
    } catch (error) {
      this.#deps.log.warn('addresses not passed on', { error });
    }
  }

  /**
   * A newcomer speaks as soon as it has the key, so it could not read what we told when it came. A device that was
   * restarted listens elsewhere and knows nothing; the room may not show its arrival, as its old session is still there.
   */
  #isNews(from: string, candidates: Candidates): boolean {
    const told = JSON.stringify(candidates);
    const isNews = this.#heard.get(from) !== told;
    this.#heard.set(from, told);
    return isNews;
  }
}

function keyOf({ sphere, device }: Speaker): string {
  return `${sphere.id} ${device}`;
}
