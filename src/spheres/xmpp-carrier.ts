import type { BareJid } from '../base/id.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { encryptedMessage, ephemeralMessage } from '../xmpp/message.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { Occupant } from '../xmpp/room-types.ts';
import type { DiscoInfo } from '../xmpp/xep/0030-disco.ts';
import type { CapsTag } from '../xmpp/xep/0115-caps.ts';
import { CapsCache } from '../xmpp/xep/0115-caps.ts';
import type { Carrier, OutgoingEphemeral, OutgoingMessage } from './carrier.ts';
import { EPHEMERAL_NAMESPACE } from './protocol/ephemeral.ts';
import type { Rooms } from './rooms.ts';

/** Carries messages as stanzas over one XMPP connection. */
export class XmppCarrier implements Carrier {
  readonly #client: XmppPort;
  readonly #rooms: Rooms;
  readonly #caps: CapsCache;
  readonly #isMailRead: () => boolean;

  constructor(deps: { client: XmppPort; rooms: Rooms; abilities: DiscoInfo; isMailRead: () => boolean }) {
    this.#client = deps.client;
    this.#rooms = deps.rooms;
    this.#isMailRead = deps.isMailRead;
    this.#caps = new CapsCache({ client: deps.client, own: deps.abilities });
  }

  get isOnline(): boolean {
    return this.#client.state.kind === 'online';
  }

  isInRoom(room: BareJid): boolean {
    return this.isOnline && this.#rooms.isInside(room);
  }

  isKeptOut(room: BareJid): boolean {
    return this.isOnline && this.#rooms.isRefused(room);
  }

  isLookedThrough(room: BareJid | null): boolean {
    return room === null ? this.#isMailRead() : this.#rooms.isLookedThrough(room);
  }

  async toRoom(room: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<string | null> {
    try {
      return await this.#rooms.send(room, stanzaOf(room, 'groupchat', message), signal);
    } catch (error) {
      // A room that says nothing may have it all the same.
      if (errorCode(error) === 'timed-out') this.#rooms.lookAgain(room);
      throw error;
    }
  }

  async toAccount(jid: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    await this.#client.sendConfirmed(stanzaOf(jid, 'chat', message), signal);
  }

  async toRoomNow(room: BareJid, message: OutgoingEphemeral): Promise<void> {
    const id = this.#client.newId();
    await this.#rooms.sendNow(room, ephemeralMessage({ to: room, type: 'groupchat', id, ephemeral: message }));
  }

  async isHeard(room: BareJid): Promise<boolean> {
    const others = this.#rooms.occupants(room).filter(({ fullJid }) => fullJid !== this.#client.fullJid);
    const reading = others.flatMap(({ nick, caps }) => (caps === null ? [] : [this.#reads(`${room}/${nick}`, caps)]));
    // The first who does settles it; that of one who does not answer nobody waits for.
    return await Promise.any(reading).then(
      () => true,
      () => false,
    );
  }

  /** Whether an occupant says that it reads ephemeral messages; false when it does not answer. */
  async isReader(room: BareJid, { nick, caps }: Pick<Occupant, 'nick' | 'caps'>): Promise<boolean> {
    if (caps === null) return false;
    return await this.#reads(`${room}/${nick}`, caps).then(
      () => true,
      () => false,
    );
  }

  /** Rejects when the occupant does not say so. */
  async #reads(occupant: string, tag: CapsTag): Promise<void> {
    const features = await this.#caps.featuresOf(occupant, tag);
    if (!features.has(EPHEMERAL_NAMESPACE)) throw new AppError('not-found', 'an ordinary program');
  }
}

function stanzaOf(to: BareJid, type: 'groupchat' | 'chat', message: OutgoingMessage) {
  const { id, omemo, sealed, hasLine, invitesTo } = message;
  return encryptedMessage({
    to,
    type,
    id,
    omemo,
    sealed: sealed ?? undefined,
    hasLine,
    ...(invitesTo === null ? {} : { invitesTo }),
  });
}
