import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Sphere } from './sphere.ts';

interface ComebackDeps {
  readonly storage: Pick<Storage, 'settings' | 'contacts' | 'blocked'>;
  readonly own: BareJid;
  readonly clock: Clock;
}

const SETTING = 'return';
const HOUR_MS = 3_600_000;
/** Members may be on holiday; later than this somebody asks them by other means. */
const LASTS_MS = 30 * 24 * HOUR_MS;

const schema = z.object({
  /** When the person came to this device with their recovery kit. */
  sinceMs: z.number(),
  /** Whether all devices they had before are gone. */
  endsOthers: z.boolean(),
});

/** A person who came to this device with their recovery kit, and asks those they know for what they had. */
export class Comeback {
  readonly #deps: ComebackDeps;
  readonly #asked = new Set<BareJid>();

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

  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Whom to ask at the beginning of a session. */
  whom(): readonly BareJid[] {
    const { contacts } = this.#deps.storage;
    return this.#notAsked(contacts.list().flatMap(({ jid, standing }) => (standing === 'request' ? [] : [jid])));
  }

  /** Whom to ask because they are in a sphere that came back: they may know of others. */
  whomOf({ state }: Sphere): readonly BareJid[] {
    const members = [...state.members.values()].filter((member) => member.state === 'joined');
    return this.#notAsked(members.map(({ jid }) => jid));
  }

  get #noted(): z.output<typeof schema> | undefined {
    return this.#deps.storage.settings.get(SETTING, (value) => schema.parse(value));
  }

  get #sinceMs(): number {
    return this.#noted?.sinceMs ?? -Infinity;
  }

  #notAsked(jids: readonly BareJid[]): readonly BareJid[] {
    if (!this.isUnderWay) return [];
    const { own, storage } = this.#deps;
    const fresh = jids.filter((jid) => jid !== own && !this.#asked.has(jid) && !storage.blocked.has(jid));
    for (const jid of fresh) this.#asked.add(jid);
    return fresh;
  }
}
