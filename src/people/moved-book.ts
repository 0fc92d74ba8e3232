import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import { bareJidSchema } from '../contract/ids.ts';
import type { Storage } from '../storage/storage.ts';

const SETTING = 'moved-people';
/** Each of them had to say so at an account of somebody on our list. */
const MAX_NOTED = 100;
const schema = z.record(z.string(), bareJidSchema);

/** Who of those that ask us has proved to be somebody on our list, until the person says whether to follow them. */
export class MovedBook {
  readonly #storage: Pick<Storage, 'settings'>;

  constructor({ storage }: { readonly storage: Pick<Storage, 'settings'> }) {
    this.#storage = storage;
  }

  /** The address by which we know whoever asks under this one. */
  oldOf(jid: BareJid): BareJid | undefined {
    const noted = this.#noted;
    return Object.hasOwn(noted, jid) ? noted[jid] : undefined;
  }

  note({ from, to }: { readonly from: BareJid; readonly to: BareJid }): void {
    const entries = Object.entries({ ...this.#noted, [to]: from });
    this.#storage.settings.set(SETTING, Object.fromEntries(entries.slice(-MAX_NOTED)));
  }

  forget(jid: BareJid): void {
    if (this.oldOf(jid) === undefined) return;
    const { [jid]: _old, ...others } = this.#noted;
    this.#storage.settings.set(SETTING, others);
  }

  get #noted(): Readonly<Record<string, BareJid>> {
    return this.#storage.settings.get(SETTING, (value) => schema.parse(value)) ?? {};
  }
}
