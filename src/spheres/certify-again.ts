import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Storage } from '../storage/storage.ts';
import type { Speaker } from './ephemeral-channel.ts';
import { historyFor } from './history.ts';
import { isStructural } from './protocol/member-record.ts';
import { enqueueRelays, relayEntry } from './relay.ts';
import type { Sphere } from './sphere.ts';

interface CertifyAgainDeps {
  readonly storage: Storage;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** A device that tells of everything but ours. */
interface Omission {
  readonly sphereId: SphereId;
  /** Wall clock: a computer may be on for moments only, once a day. */
  readonly sinceMs: number;
  /** Monotonic: when we make ourselves known to it; Infinity as long as it may be about to learn of us. */
  readonly dueMs: number;
}

const DAY_MS = 24 * 3_600_000;
/** Whoever was away for long does not know who is new, and gets it from any member within moments. */
const PATIENCE_MS = 60_000;
/** Nor do all whom it does not know speak at once. */
const DELAY = { leastMs: 5_000, spreadMs: 55_000 };
/** Of each sphere: all members hear it. */
const CERTIFIED = { burst: 1, intervalMs: 600_000 };
/** Of devices: who omits us, and for whose sake we spoke. */
const MAX_REMEMBERED = 1024;
/** Of a sphere's devices that omit us, over restarts. */
const MAX_STORED = 32;
const storedSchema = z.record(z.string(), z.number());

/**
 * Who does not know our device believes no word of it, and cannot ask it for what proves it. So it is made known once more
 * when another device keeps leaving it out; one word of a member makes nobody send anything.
 */
export class CertifyAgain {
  readonly #deps: CertifyAgainDeps;
  readonly #omissions = new RecentMap<string, Omission>(MAX_REMEMBERED);
  readonly #lastForMs = new RecentMap<string, number>(MAX_REMEMBERED);
  readonly #certifying: RateLimit;

  constructor(deps: CertifyAgainDeps) {
    this.#deps = deps;
    this.#certifying = new RateLimit({ ...deps, ...CERTIFIED });
  }

  /** A device told of all that it knows at our place in the order of devices. */
  heard({ sphere, device }: Speaker, isKnown: boolean): void {
    const key = `${sphere.id} ${device}`;
    if (isKnown) return this.#known(sphere.id, device);
    const { clock } = this.#deps;
    const nowMs = clock.monotonic();
    const { sinceMs, dueMs } = this.#omissions.get(key) ?? { sinceMs: this.#since(sphere.id, device), dueMs: Infinity };
    const isLong = Math.abs(clock.now() - sinceMs) >= PATIENCE_MS;
    const isForgotten = isLong && nowMs - (this.#lastForMs.get(key) ?? -Infinity) >= DAY_MS;
    const delayMs = DELAY.leastMs + randomFraction(this.#deps.random) * DELAY.spreadMs;
    const soonMs = isForgotten ? nowMs + delayMs : Infinity;
    this.#omissions.set(key, { sphereId: sphere.id, sinceMs, dueMs: Math.min(dueMs, soonMs) });
  }

  /** Does what is due in a sphere; gives when there is something to do again, Infinity for not yet. */
  pass(sphere: Sphere): number {
    const nowMs = this.#deps.clock.monotonic();
    const open = [...this.#omissions].filter(([, { sphereId }]) => sphereId === sphere.id);
    for (const [key, { dueMs }] of open) {
      if (dueMs > nowMs) continue;
      this.#omissions.delete(key);
      if (this.#certify(sphere)) this.#lastForMs.set(key, nowMs);
    }
    return Math.min(...open.map(([, { dueMs }]) => (dueMs > nowMs ? dueMs : Infinity)));
  }

  #known(sphereId: SphereId, device: DeviceKey): void {
    this.#omissions.delete(`${sphereId} ${device}`);
    const { [device]: sinceMs, ...others } = this.#stored(sphereId);
    if (sinceMs !== undefined) this.#store(sphereId, others);
  }

  /** When it was first heard to leave us out, which may be now. */
  #since(sphereId: SphereId, device: DeviceKey): number {
    const stored = this.#stored(sphereId);
    const sinceMs = stored[device] ?? this.#deps.clock.now();
    const newest = Object.entries({ ...stored, [device]: sinceMs }).slice(-MAX_STORED);
    if (stored[device] === undefined) this.#store(sphereId, Object.fromEntries(newest));
    return sinceMs;
  }

  #stored(sphereId: SphereId): Readonly<Record<string, number>> {
    return this.#deps.storage.settings.get(settingOf(sphereId), (value) => storedSchema.parse(value)) ?? {};
  }

  #store(sphereId: SphereId, omissions: Readonly<Record<string, number>>): void {
    this.#deps.storage.settings.set(settingOf(sphereId), omissions);
  }

  #certify(sphere: Sphere): boolean {
    const { storage, queued, log } = this.#deps;
    const { certificate } = sphere.state.devices.get(sphere.device) ?? {};
    const to = certificate && sphere.log.get(certificate)?.header.sequence;
    if (to === undefined || !this.#certifying.take(sphere.id)) return false;
    const history = historyFor(sphere, sphere.person);
    const events = sphere.log.select({ ranges: [{ device: sphere.device, from: 0, to }], ids: [] });
    const own = events.filter(isStructural).map((event) => relayEntry(event, sphere, storage, history));
    storage.transaction(() => enqueueRelays(sphere, own, { kind: 'members' }));
    log.info('made known again', { sphereId: sphere.id });
    queued();
    return true;
  }
}

const settingOf = (sphereId: SphereId): string => `left-out ${sphereId}`;
