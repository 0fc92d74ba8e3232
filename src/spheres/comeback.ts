import * as z from 'zod';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import type { Sphere } from './sphere.ts';

interface ComebackDeps {
  readonly storage: Pick<Storage, 'settings' | 'contacts' | 'blocked'>;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Moments are of the monotonic clock. */
interface Asked {
  attempts: number;
  atMs: number;
  againAtMs: number;
}

const SETTING = 'return';
const HOUR_MS = 3_600_000;
/** Members may be on holiday; later than this somebody asks them by other means. */
const LASTS_MS = 30 * 24 * HOUR_MS;
/** A question or its answer may get lost, and whoever was asked may have come into another sphere of ours since. */
const AGAIN = { baseMs: 120_000, maxMs: 24 * HOUR_MS };
/** Whoever comes and goes all the time is not asked each time. */
const REST_MS = 60_000;

const schema = z.object({
  /** When the person came to this device with their recovery kit. */
  sinceMs: z.number(),
  /** Whether all devices they had before are gone. */
  endsOthers: z.boolean(),
  /** Spheres in which those are ended. */
  endedIn: z.array(z.string()).default([]),
});

/** A person who came to this device with their recovery kit, and asks those they know for what they had. */
export class Comeback {
  readonly #deps: ComebackDeps;
  readonly #asked = new Map<BareJid, Asked>();
  /** Asked besides those on the list of contacts. */
  readonly #further = new Set<BareJid>();

  constructor(deps: ComebackDeps) {
    this.#deps = deps;
  }

  /** To be called before the account is opened. */
  static note(storage: Pick<Storage, 'settings'>, come: z.input<typeof schema>): void {
    storage.settings.set(SETTING, come);
  }

  get isUnderWay(): boolean {
    return this.#sinceMs >= this.#deps.clock.now() - LASTS_MS;
  }

  /** Whether it is so short a time ago that those we hear of were there before us. */
  get isRecent(): boolean {
    return this.#sinceMs >= this.#deps.clock.now() - HOUR_MS;
  }

  /** Whether all other devices of the person are gone. */
  get endsOthers(): boolean {
    return this.#noted?.endsOthers ?? false;
  }

  /** Whether they are to be ended in this sphere still: once that is done, whoever comes is new. */
  endsOthersIn(sphere: SphereId): boolean {
    const noted = this.#noted;
    return noted?.endsOthers === true && !noted.endedIn.includes(sphere);
  }

  hasEndedOthers(sphere: SphereId): void {
    const noted = this.#noted;
    if (noted !== undefined) Comeback.note(this.#deps.storage, { ...noted, endedIn: [...noted.endedIn, sphere] });
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** They may know of spheres: the person's own other devices, and whoever is in a sphere that came back. */
  add(jid: BareJid): void {
    this.#further.add(jid);
  }

  addMembers({ state }: Sphere): void {
    for (const { jid, state: standing } of state.members.values()) {
      if (standing === 'joined' && jid !== this.#deps.own) this.add(jid);
    }
  }

  /** Somebody is there who can answer now. */
  cameOnline(jid: BareJid): void {
    const asked = this.#asked.get(jid);
    if (asked !== undefined) asked.againAtMs = Math.min(asked.againAtMs, asked.atMs + REST_MS);
  }

  /** Whom to ask now; they are noted as asked. */
  due(): readonly BareJid[] {
    const nowMs = this.#deps.clock.monotonic();
    const jids = this.#whom().filter((jid) => (this.#asked.get(jid)?.againAtMs ?? 0) <= nowMs);
    for (const jid of jids) {
      const attempts = this.#asked.get(jid)?.attempts ?? 0;
      const waitMs = backoffDelay(attempts, AGAIN, () => randomFraction(this.#deps.random));
      this.#asked.set(jid, { attempts: attempts + 1, atMs: nowMs, againAtMs: nowMs + waitMs });
    }
    return jids;
  }

  /** How long until somebody is to be asked, in milliseconds. */
  get nextMs(): number {
    const nowMs = this.#deps.clock.monotonic();
    return Math.min(HOUR_MS, ...this.#whom().map((jid) => (this.#asked.get(jid)?.againAtMs ?? 0) - nowMs));
  }

  #whom(): readonly BareJid[] {
    if (!this.isUnderWay) return [];
    const { contacts, blocked } = this.#deps.storage;
    const known = contacts.list().flatMap(({ jid, standing }) => (standing === 'request' ? [] : [jid]));
    return [...new Set([...known, ...this.#further])].filter((jid) => !blocked.has(jid));
  }

  get #noted(): z.output<typeof schema> | undefined {
    return this.#deps.storage.settings.get(SETTING, (value) => schema.parse(value));
  }

  get #sinceMs(): number {
    return this.#noted?.sinceMs ?? -Infinity;
  }
}
