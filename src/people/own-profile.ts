import { AppError } from '../base/errors.ts';
import { plainName } from '../base/plain-name.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { publishAvatar, publishNoAvatar } from '../xmpp/xep/0084-avatar.ts';
import { publishNick } from '../xmpp/xep/0172-nickname.ts';
import type { Portraits, PortraitTools } from './portraits.ts';

interface OwnProfileDeps {
  readonly client: XmppPort;
  readonly storage: Pick<Storage, 'account' | 'portraits'>;
  readonly portraits: Pick<Portraits, 'onChange'>;
  readonly tools: PortraitTools;
}

/** What we call ourselves and look like, for the people on our list. */
export class OwnProfile {
  readonly #deps: OwnProfileDeps;

  constructor(deps: OwnProfileDeps) {
    this.#deps = deps;
  }

  /** Empty = what the address says. `bad-input` for a name that looks like an address. */
  async setNick(name: string, signal: AbortSignal): Promise<void> {
    const { client, storage, portraits } = this.#deps;
    const nick = plainName(name);
    if (nick.normalize('NFKC').includes('@')) throw new AppError('bad-input', 'a name with an @ looks like an address');
    await publishNick(client, nick, signal);
    storage.account.setNick(nick === '' ? null : nick);
    portraits.onChange.emit(client.jid);
  }

  /** null takes it away. `bad-input` when the bytes are no picture. */
  async setPicture(bytes: Uint8Array | null, signal: AbortSignal): Promise<void> {
    const { client, storage, portraits, tools } = this.#deps;
    if (bytes === null) {
      await publishNoAvatar(client, signal);
      storage.portraits.remove(client.jid);
    } else {
      const drawn = await tools.portrait(bytes, signal);
      if (drawn === null) throw new AppError('bad-input', 'this is no picture that can be shown');
      const id = await publishAvatar(client, { bytes: drawn.png, side: drawn.side }, signal);
      storage.portraits.put({ jid: client.jid, id, image: drawn.image });
    }
    portraits.onChange.emit(client.jid);
  }

  /** At an account to which we have moved. */
  async publishAgain(signal: AbortSignal): Promise<void> {
    const { client, storage } = this.#deps;
    const { nick } = storage.account;
    const id = storage.portraits.idOf(client.jid);
    const image = id === undefined ? undefined : storage.portraits.image(id);
    if (nick !== null) await publishNick(client, nick, signal);
    if (image !== undefined) await this.setPicture(image, signal);
  }
}
