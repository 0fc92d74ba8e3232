import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type { EphemeralChannel, Speaker } from './ephemeral-channel.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface SignalExchangeDeps {
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  readonly feed: SwarmFeed;
  /** Whether this network is known to let more out than the web. */
  readonly dialsFreely: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * To and from each device. A connection takes about ten signals, and a device that is started again makes several; opening
 * it must not wait for a queue.
 */
const SIGNALS = { burst: 120, intervalMs: 250 };
/** To and from each device: it tells about an endpoint once in ten minutes, and a device has a few endpoints. */
const REACHES = { burst: 16, intervalMs: 30_000 };
/** Said in each sphere: however many endpoints its members name, a room is not filled with answers. */
const REACHES_OF_SPHERE = { burst: 48, intervalMs: 5_000 };
/** From each device: it asks one member after the other, about each endpoint once in ten minutes. */
const PROBES = { burst: 8, intervalMs: 30_000 };
/** In each sphere, however many devices ask. */
const PROBES_OF_SPHERE = { burst: 24, intervalMs: 5_000 };

/** Of each sphere and from each device; each message names many torrents. */
const FETCHES = { burst: 30, intervalMs: 2_000 };

type Said<K extends SwarmEvent['kind']> = Extract<SwarmEvent, { kind: K }>;

/** Carries between the swarm processes of two devices what they have to tell each other to connect. */
export class SignalExchange {
  readonly #deps: SignalExchangeDeps;
  readonly #sent: RateLimit;
  readonly #heard: RateLimit;
  readonly #judged: RateLimit;
  readonly #told: RateLimit;
  readonly #toldOfSphere: RateLimit;
  readonly #probed: RateLimit;
  readonly #probedOfSphere: RateLimit;
  readonly #fetched: RateLimit;
  readonly #asked: RateLimit;

  constructor(deps: SignalExchangeDeps) {
    this.#deps = deps;
    this.#sent = new RateLimit({ ...deps, ...SIGNALS });
    this.#heard = new RateLimit({ ...deps, ...SIGNALS });
    this.#judged = new RateLimit({ ...deps, ...REACHES });
    this.#told = new RateLimit({ ...deps, ...REACHES });
    this.#toldOfSphere = new RateLimit({ ...deps, ...REACHES_OF_SPHERE });
    this.#probed = new RateLimit({ ...deps, ...PROBES });
    this.#probedOfSphere = new RateLimit({ ...deps, ...PROBES_OF_SPHERE });
    this.#fetched = new RateLimit({ ...deps, ...FETCHES });
    this.#asked = new RateLimit({ ...deps, ...FETCHES });
    deps.channel.on('rtc', (from, body) => this.#hearSignal(from, body));
    deps.channel.on('reach', (from, body) => this.#hearReach(from, body));
    deps.channel.on('probe', (from, body) => this.#hearProbe(from, body));
    deps.channel.on('fetching', (from, body) => this.#hearFetching(from, body));
  }

  /** Our swarm process has a signal for another device. What is too much is dropped: its session is begun anew. */
  async signal({ sphereId, device, signal }: Said<'signal'>): Promise<void> {
    const sphere = this.#deps.list.find(sphereId);
    if (sphere === undefined || !this.#sent.take(`${sphereId} ${device}`)) return;
    await this.#deps.channel.say(sphere, 'rtc', { to: device, signal });
  }

  /** Our swarm process tried an endpoint of another device. What is too much is dropped: it is tried again in time. */
  async reached({ sphereId, device, endpoint, outcome, seenAs }: Said<'reached'>): Promise<void> {
    const sphere = this.#deps.list.find(sphereId);
    // From where only the web can be reached, every other door looks closed.
    if (sphere === undefined || (outcome === 'unreachable' && !this.#deps.dialsFreely())) return;
    if (!this.#told.take(`${sphereId} ${device}`) || !this.#toldOfSphere.take(sphereId)) return;
    await this.#deps.channel.say(sphere, 'reach', { to: device, endpoint, outcome, seenAs });
  }

  /** Our swarm process wants to know whether an endpoint of ours leads here. */
  async probe({ sphereId, device, endpoint }: Said<'probe'>): Promise<void> {
    const sphere = this.#deps.list.find(sphereId);
    if (sphere !== undefined) await this.#deps.channel.say(sphere, 'probe', { to: device, endpoint });
  }

  /** Our swarm process begins to fetch. What is too much is dropped: those who arrive call of themselves. */
  async fetching({ sphereId, infoHashes, metainfo }: Said<'fetching'>): Promise<void> {
    const sphere = this.#deps.list.find(sphereId);
    if (sphere === undefined || !this.#fetched.take(sphereId)) return;
    await this.#deps.channel.say(sphere, 'fetching', metainfo ? { infoHashes, metainfo } : { infoHashes });
  }

  #hearSignal(from: Speaker, { to, signal }: EphemeralBodies['rtc']): void {
    if (to !== from.sphere.device || !this.#heard.take(keyOf(from))) return;
    // What belongs to a session means nothing after a restart; only what begins one must not come twice.
    if (signal.kind === 'offer') this.#deps.channel.note(from);
    void this.#passOn(this.#deps.feed.signal({ sphereId: from.sphere.id, device: from.device, signal }));
  }

  #hearReach(from: Speaker, { to, endpoint, outcome, seenAs }: EphemeralBodies['reach']): void {
    if (to !== from.sphere.device || !this.#judged.take(keyOf(from))) return;
    this.#deps.channel.note(from);
    const word = { sphereId: from.sphere.id, device: from.device, endpoint, outcome, seenAs };
    void this.#passOn(this.#deps.feed.reached(word));
  }

  #hearProbe(from: Speaker, { to, endpoint }: EphemeralBodies['probe']): void {
    const { sphere, device } = from;
    if (to !== sphere.device || !this.#probed.take(keyOf(from)) || !this.#probedOfSphere.take(sphere.id)) return;
    this.#deps.channel.note(from);
    void this.#passOn(this.#deps.feed.probe({ sphereId: sphere.id, device, endpoint }));
  }

  #hearFetching(from: Speaker, { infoHashes, metainfo = false }: EphemeralBodies['fetching']): void {
    if (!this.#asked.take(keyOf(from))) return;
    this.#deps.channel.note(from);
    const word = { sphereId: from.sphere.id, device: from.device, infoHashes, metainfo };
    void this.#passOn(this.#deps.feed.fetching(word));
  }

  /** Not waited for: messages behind this one are read while the swarm process hangs. */
  async #passOn(telling: Promise<void>): Promise<void> {
    try {
      await telling;
    } catch (error) {
      this.#deps.log.warn('not passed on to the swarm', { error });
    }
  }
}

function keyOf({ sphere, device }: Speaker): string {
  return `${sphere.id} ${device}`;
}
