import * as z from 'zod';
import { equalBytes } from '../base/bytes.ts';
import type { BareJid } from '../base/id.ts';
import { bareJidSchema } from '../contract/ids.ts';
import type { ToldMove } from '../spheres/told-moves.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { fetchMoved } from '../xmpp/xep/0283-moved.ts';
import { fetchBundle } from '../xmpp/xep/0384-omemo.ts';

interface MovedBookDeps {
  readonly client: XmppPort;
  readonly storage: Pick<Storage, 'settings' | 'contacts' | 'blocked' | 'directMessages'>;
}

const SETTING = 'moved-people';
const MAX_NOTED = 100;
const schema = z.record(z.string(), z.object({ from: bareJidSchema, isConfirmed: z.boolean() }));

/** The address by which we know somebody. */
interface Former {
  readonly from: BareJid;
  /** By the account there; otherwise it rests on what a sphere says. */
  readonly isConfirmed: boolean;
}

/** Who is somebody that we know under another address, until our person says whether to follow them. */
export class MovedBook {
  readonly #deps: MovedBookDeps;

  constructor(deps: MovedBookDeps) {
    this.#deps = deps;
  }

  /** By which address we know whoever has this one now. Of whom we shut out under either nothing is offered. */
  formerOf(jid: BareJid): Former | undefined {
    const { contacts, blocked } = this.#deps.storage;
    const noted = this.#noted;
    const former = Object.hasOwn(noted, jid) ? noted[jid] : undefined;
    if (former === undefined || contacts.get(former.from) === undefined) return undefined;
    return blocked.has(jid) || blocked.has(former.from) ? undefined : former;
  }

  /**
   * Whether those who have this account are whom we knew under the one before, as a sphere says: the new one must publish the
   * key that is in the certificate, for anybody can name any address, and the old one must say the same. When it says nothing,
   * lines that came from there, by devices of the same person, stand for it.
   */
  async check({ person, from, to, devices }: ToldMove, signal: AbortSignal): Promise<Former | undefined> {
    const { directMessages } = this.#deps.storage;
    if (!(await this.#isTheirs(to, devices, signal))) return undefined;
    const stated = await this.#statement(from, signal);
    if (stated === to) return { from, isConfirmed: true };
    return stated === undefined && directMessages.hasFrom(from, person) ? { from, isConfirmed: false } : undefined;
  }

  note(jid: BareJid, former: Former): void {
    const entries = Object.entries({ ...this.#noted, [jid]: former });
    this.#deps.storage.settings.set(SETTING, Object.fromEntries(entries.slice(-MAX_NOTED)));
  }

  forget(jid: BareJid): void {
    const { [jid]: former, ...others } = this.#noted;
    if (former !== undefined) this.#deps.storage.settings.set(SETTING, others);
  }

  async #isTheirs(to: BareJid, devices: ToldMove['devices'], signal: AbortSignal): Promise<boolean> {
    for (const { id, identityKey } of devices) {
      const bundle = await this.#unlessRefused(() => fetchBundle(this.#deps.client, to, id, signal), signal);
      if (bundle !== undefined && equalBytes(bundle.identityKey, identityKey)) return true;
    }
    return false;
  }

  #statement(from: BareJid, signal: AbortSignal): Promise<BareJid | undefined> {
    return this.#unlessRefused(() => fetchMoved(this.#deps.client, from, signal), signal);
  }

  /** undefined when the other server does not answer, or not so: only without a connection of ours there is no answer at all. */
  async #unlessRefused<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (this.#deps.client.state.kind !== 'online') throw error;
      return undefined;
    }
  }

  get #noted(): Readonly<Record<string, Former>> {
    return this.#deps.storage.settings.get(SETTING, (value) => schema.parse(value)) ?? {};
  }
}
