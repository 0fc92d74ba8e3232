import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey, EventId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { Storage } from '../storage/storage.ts';
import type { EphemeralChannel, HeardHeads } from './ephemeral-channel.ts';
import { devicesToEnd } from './devices-to-end.ts';
import { handOver } from './hand-over.ts';
import { isOnItsWay } from './is-on-its-way.ts';
import { knownDevice } from './recipients.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface EpochCareDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What one sphere's current key is to this device. Moments are of the monotonic clock. */
interface Lack {
  /** When it is said next that the key is not here. */
  sayAtMs: number;
  says: number;
  /** Not sooner, whatever makes us believe that it is needed: the server can make it up. */
  notBeforeMs: number;
  /** The newest epoch whose key was here then: another one means that somebody gave it. */
  newest: EventId | null;
}

interface Gift {
  readonly sphere: Sphere;
  readonly device: DeviceKey;
  readonly atMs: number;
}

const HOUR_MS = 3_600_000;
/** What is on its way comes first. */
const HEARING = { baseMs: 3_000, maxMs: 3_000 };
/** It is said under this many of the newest keys in turn. */
const TOLD_UNDER = 3;
const SAYING = { baseMs: 10_000, maxMs: HOUR_MS };
/** While nobody is there to hear it. */
const ALONE_MS = 60_000;
/** Of many who could give it the first one does; that it came is heard by the others. */
const GIVING = { baseMs: 6_000, maxMs: 6_000 };
/** To each device: whoever asks without end gets no log without end. */
const GIVEN = { burst: 3, intervalMs: 600_000 };

/**
 * Whoever lacks the key of the current epoch understands nobody who has it. Their device says so, and any member's
 * device gives it the events that lead there, with the keys its person may have: outside the room, to its certified key.
 */
export class EpochCare {
  readonly #deps: EpochCareDeps;
  readonly #lacks = new Map<SphereId, Lack>();
  readonly #gifts = new Map<string, Gift>();
  readonly #giving: RateLimit;
  readonly #work: RecurringWork;

  constructor(deps: EpochCareDeps) {
    this.#deps = deps;
    this.#giving = new RateLimit({ ...deps, ...GIVEN });
    this.#work = new RecurringWork({ ...deps, pass: () => this.#pass(), retryMs: GIVING.maxMs });
    deps.channel.onUnheard.on((sphere) => this.#unheard(sphere));
    deps.channel.onHeads.on((heard) => this.#heard(heard));
  }

  /** The log may have grown, or somebody came who may have the key. */
  changed(sphere: Sphere): void {
    if (isLacking(sphere)) this.#unheard(sphere);
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  get #now(): number {
    return this.#deps.clock.monotonic();
  }

  readonly #fraction = (): number => randomFraction(this.#deps.random);

  #unheard(sphere: Sphere): void {
    if (sphere.row.state !== 'joined') return;
    const newest = sphere.epochs[0]?.eventId ?? null;
    const known = this.#lacks.get(sphere.id);
    const fresh = { sayAtMs: Infinity, says: 0, notBeforeMs: 0, newest };
    const lack: Lack = known === undefined || known.newest !== newest ? fresh : known;
    this.#lacks.set(sphere.id, lack);
    const soonMs = this.#now + backoffDelay(0, HEARING, this.#fraction);
    lack.sayAtMs = Math.min(lack.sayAtMs, Math.max(lack.notBeforeMs, soonMs));
    this.#work.wake();
  }

  #heard({ sphere, device, isCurrent }: HeardHeads): void {
    const key = `${sphere.id} ${device}`;
    if (isCurrent) {
      this.#gifts.delete(key);
      return;
    }
    // Whoever lacks it as well has nothing to give.
    if (isLacking(sphere) || sphere.row.state !== 'joined' || this.#gifts.has(key)) return;
    this.#gifts.set(key, { sphere, device, atMs: this.#now + backoffDelay(0, GIVING, this.#fraction) });
    this.#work.wake();
  }

  async #pass(): Promise<number> {
    let nextMs = this.#now + HOUR_MS;
    for (const [key, gift] of this.#gifts) {
      if (gift.atMs > this.#now) {
        nextMs = Math.min(nextMs, gift.atMs);
        continue;
      }
      this.#gifts.delete(key);
      if (this.#giving.take(key)) this.#give(gift);
    }
    for (const [sphereId, lack] of this.#lacks) {
      const sphere = this.#deps.list.find(sphereId);
      if (sphere === undefined || sphere.row.state !== 'joined') continue;
      if (lack.sayAtMs <= this.#now) await this.#say(sphere, lack);
      nextMs = Math.min(nextMs, lack.sayAtMs);
    }
    return Math.max(50, nextMs - this.#now);
  }

  /** Once for each word that was not understood, and for as long as a key is missing that the log speaks of. */
  async #say(sphere: Sphere, lack: Lack): Promise<void> {
    lack.notBeforeMs = this.#now + backoffDelay(lack.says, SAYING, this.#fraction);
    lack.sayAtMs = Infinity;
    const isGiven = lack.newest !== (sphere.epochs[0]?.eventId ?? null);
    if (isGiven && !isLacking(sphere)) return;
    // Of two epochs that began at the same time each is unknown to those who know the other: the one before them is not.
    const back = lack.says % TOLD_UNDER;
    if (isLacking(sphere)) lack.sayAtMs = Math.max(lack.notBeforeMs, this.#now + ALONE_MS);
    if (!(await this.#deps.channel.sayLacking(sphere, back))) {
      // Nobody heard it: whoever comes is told at once.
      lack.notBeforeMs = 0;
      return;
    }
    lack.says += 1;
    if (isLacking(sphere)) lack.sayAtMs = Math.min(lack.sayAtMs, lack.notBeforeMs);
    this.#deps.log.info('key of the epoch asked for', { sphereId: sphere.id });
  }

  #give({ sphere, device }: Gift): void {
    const { storage, queued, log } = this.#deps;
    const person = sphere.state.devices.get(device)?.person;
    const known = knownDevice(sphere.state, device);
    const [to] = known?.devices ?? [];
    // Nobody who has gone meanwhile is given anything.
    if (person === undefined || known === undefined || to === undefined || isLacking(sphere)) return;
    if (devicesToEnd(storage).has(device)) return;
    // What it was given before has not left yet.
    if (isOnItsWay(storage, sphere, known)) return;
    const { jid } = known;
    handOver(sphere, storage, { person, jid, omemoDeviceId: to.deviceId, omemoIdentityKey: to.identityKey });
    log.info('key of the epoch given', { sphereId: sphere.id });
    queued();
  }
}

/** Whether the log speaks of a key that is not here. */
function isLacking({ state, epochs }: Sphere): boolean {
  return state.currentEpoch !== null && state.currentEpoch.id !== epochs[0]?.eventId;
}
