import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import { bareJidSchema } from '../contract/ids.ts';
import type { Storage } from '../storage/storage.ts';
import { errorCondition, mayPass } from '../xmpp/stanza-error.ts';
import type { Contacts } from './contacts.ts';

interface MovingInDeps {
  readonly storage: Pick<Storage, 'settings'>;
  readonly contacts: Pick<Contacts, 'add' | 'get'>;
  readonly blocked: { block(jid: BareJid, options: { readonly report: boolean }, signal: AbortSignal): Promise<void> };
  readonly own: BareJid;
}

const SETTING = 'moving-in';
const schema = z.object({
  from: bareJidSchema,
  to: bareJidSchema,
  contacts: z.array(z.object({ jid: bareJidSchema, name: z.string().nullable() })),
  blocked: z.array(bareJidSchema),
});
type Noted = z.infer<typeof schema>;

/** After we have moved: the new account's lists become those of the one before, and whoever is on them hears of it. */
export class MovingIn {
  readonly #deps: MovingInDeps;

  constructor(deps: MovingInDeps) {
    this.#deps = deps;
  }

  /** Before the change, while the lists of the old account are here. */
  static note(storage: Storage, { from, to }: Pick<Noted, 'from' | 'to'>): void {
    const contacts = storage.contacts.withStanding('contact').map(({ jid, name }) => ({ jid, name }));
    const noted: Noted = { from, to, contacts, blocked: storage.blocked.list() };
    storage.settings.set(SETTING, noted);
  }

  /** Whom the account of before shut out, and the one of now does not yet. */
  static blocked({ settings }: Pick<Storage, 'settings'>): readonly BareJid[] {
    return settings.get(SETTING, (value) => schema.parse(value))?.blocked ?? [];
  }

  /** Whether something is still to be done at this account. */
  get isDue(): boolean {
    return this.#noted?.to === this.#deps.own;
  }

  /** In each session until all is done: what was done is crossed off at once. */
  async finish(signal: AbortSignal): Promise<void> {
    const { storage, contacts, blocked, own } = this.#deps;
    for (let noted = this.#noted; noted?.to === own; noted = this.#noted) {
      const [contact] = noted.contacts;
      const [stranger] = noted.blocked;
      if (stranger !== undefined) {
        const block = (): Promise<void> => blocked.block(stranger, { report: false }, signal);
        if (stranger !== own) await this.#unlessRefused(block, signal);
        storage.settings.set(SETTING, { ...noted, blocked: noted.blocked.slice(1) });
      } else if (contact === undefined) storage.settings.remove(SETTING);
      else {
        const { jid, name } = contact;
        const add = (): Promise<void> => contacts.add(jid, { name, old: noted.from }, signal);
        if (jid !== own) await this.#unlessRefused(add, signal);
        storage.settings.set(SETTING, { ...noted, contacts: noted.contacts.slice(1) });
      }
    }
  }

  /** What the server does not take of one of them keeps nobody else out. */
  async #unlessRefused(task: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await task();
    } catch (error) {
      signal.throwIfAborted();
      // Without an answer it is tried again.
      if (errorCondition(error) === undefined || mayPass(error)) throw error;
    }
  }

  get #noted(): Noted | undefined {
    return this.#deps.storage.settings.get(SETTING, (value) => schema.parse(value));
  }
}
