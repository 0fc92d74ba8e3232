import type { Clock } from '../base/clock.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { isOfSomebody, toldBy, toldIn } from './lack-of.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import type { Tip } from './protocol/gaps.ts';
import type { Missing } from './protocol/sphere-log.ts';
import type { Sphere } from './sphere.ts';

/** 50 people with 16 devices each, and those who have gone. */
const MAX_TIPS = 2048;
/** Whoever is there tells within seconds what they have; the first to do so may have the least. */
const GATHERING_MS = 20_000;
/** Whoever comes and goes, or says what cannot be read, all the time is not waited for each time. */
const WAITED_FOR = { burst: 6, intervalMs: 600_000 };

/** What the devices of one sphere told that they have. */
export class ToldHeads {
  readonly #clock: Clock;
  readonly #waiting: RateLimit;
  readonly #told = new Map<DeviceKey, readonly Tip[]>();
  /** Who told it since we came last: what others knew weeks ago does not say who is there now. */
  readonly #current = new Set<DeviceKey>();
  /** When everybody who is there has had the time to tell; monotonic. */
  #gatheredAtMs: number;
  #isAnnounced = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#waiting = new RateLimit({ clock, ...WAITED_FOR });
    this.#gatheredAtMs = clock.monotonic() + GATHERING_MS;
  }

  /** What each told last, also those who are not there any more. */
  get all(): ReadonlyMap<DeviceKey, readonly Tip[]> {
    return this.#told;
  }

  /** Somebody came by these accounts; null = we did. */
  came(accounts: ReadonlySet<BareJid> | null): void {
    if (accounts === null) this.#current.clear();
    if (accounts === null || [...accounts].filter((jid) => this.#waiting.take(jid)).length > 0) this.gather();
  }

  /** What was told may only now be heard. */
  gather(): void {
    this.#gatheredAtMs = this.#clock.monotonic() + GATHERING_MS;
    this.#isAnnounced = false;
  }

  /** Calls `onGathered` once when everybody who is there has had the time to tell; when to look again, monotonic. */
  announce(onGathered: () => void): number {
    if (!this.isGathered) return this.#gatheredAtMs;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      onGathered();
    }
    return Infinity;
  }

  /** Whether everybody who is there has had the time to tell what they have. */
  get isGathered(): boolean {
    return this.#gatheredAtMs <= this.#clock.monotonic();
  }

  /** Somebody said something that others may tell of. */
  unread(): void {
    if (this.#waiting.take('unread')) this.gather();
  }

  note(device: DeviceKey, { heads, after }: EphemeralBodies['heads']): void {
    const before = after === undefined ? [] : (this.#told.get(device) ?? []);
    this.#current.add(device);
    this.#told.set(device, [...before, ...heads].slice(-MAX_TIPS));
  }

  /** Whether everything is here that anybody told of who still has a say. */
  isHere(sphere: Sphere): boolean {
    return toldIn(sphere, this.#told).every(
      ([, tips]) => !sphere.log.missing(tips).ranges.some(({ device }) => isOfSomebody(sphere, device)),
    );
  }

  /** What a device may have that is not here: who told nothing may have what others told of, who may not give it. */
  missingBy(sphere: Sphere): (device: DeviceKey) => Missing {
    let tips: readonly Tip[] | undefined;
    const allTold = (): readonly Tip[] => (tips ??= toldBy(sphere, this.#told));
    const known = new Map<DeviceKey, Missing>();
    const missing = (device: DeviceKey): Missing => sphere.log.missing(this.#told.get(device) ?? allTold());
    return (device) => known.get(device) ?? (known.set(device, missing(device)).get(device) as Missing);
  }

  /** Whether anybody of the sphere is there who told anything, other than `butFor`. */
  isAnybodyThere({ state }: Sphere, butFor: ReadonlySet<DeviceKey> = new Set()): boolean {
    return [...this.#current].some((device) => state.devices.has(device) && !butFor.has(device));
  }
}
