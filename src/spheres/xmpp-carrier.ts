import type { BareJid } from '../base/id.ts';
import { encryptedMessage, ephemeralMessage } from '../xmpp/message.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { Carrier, OutgoingEphemeral, OutgoingMessage } from './carrier.ts';
import type { Rooms } from './rooms.ts';

/** Carries messages as stanzas over one XMPP connection. */
export class XmppCarrier implements Carrier {
  readonly #client: XmppPort;
  readonly #rooms: Rooms;

  constructor(deps: { client: XmppPort; rooms: Rooms }) {
    this.#client = deps.client;
    this.#rooms = deps.rooms;
  }

  get isOnline(): boolean {
    return this.#client.state.kind === 'online';
  }

  isInRoom(room: BareJid): boolean {
    return this.isOnline && this.#rooms.isInside(room);
  }

  toRoom(room: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<string | null> {
    return this.#rooms.send(room, stanzaOf(room, 'groupchat', message), signal);
  }

  async toAccount(jid: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    await this.#client.sendConfirmed(stanzaOf(jid, 'chat', message), signal);
  }
  isKeptOut(room: BareJid): boolean {
    return this.isOnline && this.#rooms.isRefused(room);
  }


  async toRoomNow(room: BareJid, message: OutgoingEphemeral): Promise<void> {
    const id = this.#client.newId();
    await this.#rooms.sendNow(room, ephemeralMessage({ to: room, type: 'groupchat', id, ephemeral: message }));
  }
}

function stanzaOf(to: BareJid, type: 'groupchat' | 'chat', message: OutgoingMessage) {
  const { id, omemo, sealed, hasLine, invitesTo } = message;
  return encryptedMessage({ to, type, id, omemo, sealed, hasLine, ...(invitesTo === null ? {} : { invitesTo }) });
}
