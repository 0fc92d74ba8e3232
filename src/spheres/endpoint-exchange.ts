import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { Throttle } from '../base/throttle.ts';
import type { Storage } from '../storage/storage.ts';
import type { Carrier } from './carrier.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import { openEphemeral, sealEphemeral } from './protocol/ephemeral.ts';
import type { Author } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

/** Where other members can reach this device. */
export interface Candidates {
  readonly endpoints: string[];
  readonly trackers: string[];
}

interface EndpointExchangeDeps {
  readonly storage: Pick<Storage, 'settings' | 'heardCounters'>;
  readonly list: SphereList;
  readonly carrier: Carrier;
  readonly feed: SwarmFeed;
  readonly author: Author;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** How many epochs back an address is still believed: the one being replaced may be in flight. */
const BELIEVED_EPOCHS = 2;

/** Of each device: one that chatters makes us neither chatter ourselves nor trouble the swarm. */
const HEARD = { burst: 5, intervalMs: 5_000 };
/** In each sphere: somebody who joins brings several reasons at once, and those who come and go all day bring many. */
const TOLD = { burst: 8, intervalMs: 2_000 };
const COUNTER = 'ephemeral-counter';
/** Counters are noted so far ahead that they need not be noted each time. */
const RESERVED = 60_000;

/** Tells members who are present where this device is, and the swarm where theirs are. Addresses are not stored. */
export class EndpointExchange {
  readonly #deps: EndpointExchangeDeps;
  readonly #lastCounters = new Map<string, number>();
  /** What each device told last. */
  readonly #heard = new Map<string, string>();
  #candidates: Candidates = { endpoints: [], trackers: [] };
  readonly #telling: Throttle;
  readonly #hearing: Throttle;
  #counter: number;
  /** Below this everything counts as used, also after a restart. */
  #reserved: number;

  constructor(deps: EndpointExchangeDeps) {
    this.#deps = deps;
    this.#telling = new Throttle({ ...deps, ...TOLD });
    this.#hearing = new Throttle({ ...deps, ...HEARD });
    this.#reserved = deps.storage.settings.get(COUNTER, Number) ?? 0;
    this.#counter = this.#reserved;
  }

  /** Our own addresses changed. */
  async announce(candidates: Candidates): Promise<void> {
    this.#candidates = candidates;
    for (const sphere of this.#deps.list.all()) await this.tell(sphere);
  }

  /** Somebody came, or keys changed: those present learn where we are. */
  tell(sphere: Sphere): Promise<void> {
    return this.#telling.run(sphere.id, () => this.#tellNow(sphere));
  }

  async #tellNow(sphere: Sphere): Promise<void> {
    const { carrier, author, random, log } = this.#deps;
    const [epoch] = sphere.epochs;
    const { room } = sphere.row;
    if (epoch === undefined || this.#candidates.endpoints.length === 0 || !carrier.isInRoom(room)) return;
    const context = { sphere: sphere.id, epoch: epoch.eventId };
    const input = { context, epoch: epoch.secrets, device: author.device, counter: this.#nextCounter(), random };
    const { endpoints, trackers } = this.#candidates;
    const body = { endpoints: endpoints.slice(0, 32), trackers: trackers.slice(0, 8) };
    try {
      // Ordinary programs would only wonder.
      if (!(await carrier.isHeard(room))) return;
      await carrier.toRoomNow(room, { ...context, bytes: sealEphemeral(input, 'endpoints', body) });
    } catch (error) {
      // Whoever joins or returns next makes us tell it again.
      log.debug('addresses not told', { error });
    }
  }

  async receive(message: IncomingEphemeral): Promise<void> {
    const { list, log } = this.#deps;
    const sphere = list.ofRoom(message.room);
    const epoch = sphere?.epochs.slice(0, BELIEVED_EPOCHS).find(({ eventId }) => eventId === message.epoch);
    if (sphere === undefined || epoch === undefined || sphere.id !== message.sphere) return;
    try {
      const context = { sphere: sphere.id, epoch: epoch.eventId };
      const lastCounter = (device: DeviceKey): number | undefined => this.#lastCounter(sphere, device);
      const opened = openEphemeral({ context, epoch: epoch.secrets, lastCounter }, message.bytes);
      const { device, counter } = opened;
      const from = key(sphere.id, device);
      this.#lastCounters.set(from, counter);
      if (opened.kind !== 'endpoints' || device === sphere.device) return;
      await this.#hearing.run(from, () => this.#hear(sphere, { device, counter }, opened.body));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn('ephemeral message refused', { error });
    }
  }

  async #hear(
    sphere: Sphere,
    { device, counter }: { readonly device: DeviceKey; readonly counter: number },
    candidates: Candidates,
  ): Promise<void> {
    this.#deps.storage.heardCounters.put({ sphereId: sphere.id, device, counter });
    // Not waited for: messages behind this one are read while the swarm process hangs.
    void this.#passOn({ sphereId: sphere.id, device, ...candidates });
    if (this.#isNews(key(sphere.id, device), candidates)) await this.tell(sphere);
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

  #lastCounter(sphere: Sphere, device: DeviceKey): number | undefined {
    if (!sphere.state.devices.has(device)) return undefined;
    const known = this.#lastCounters.get(key(sphere.id, device));
    return known ?? this.#deps.storage.heardCounters.get(sphere.id, device) ?? -1;
  }

  /** Grows over restarts too, and when the clock goes back. */
  #nextCounter(): number {
    const { clock, storage } = this.#deps;
    this.#counter = Math.max(clock.now(), this.#counter + 1);
    if (this.#counter >= this.#reserved) {
      this.#reserved = this.#counter + RESERVED;
      storage.settings.set(COUNTER, this.#reserved);
    }
    return this.#counter;
  }
}

function key(sphereId: SphereId, device: DeviceKey): string {
  return `${sphereId} ${device}`;
}
