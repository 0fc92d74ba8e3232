import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { OmemoMessage } from '../omemo/types.ts';

/** An encrypted message with our sealed element beside it, before it becomes XML. `sealed` null = it only carries a key. */
export interface OutgoingMessage {
  /** Message and origin id: the same for every attempt to send one outbox entry. */
  readonly id: string;
  readonly omemo: OmemoMessage;
  readonly sealed: { readonly sphere: SphereId; readonly event: EventId; readonly bytes: Uint8Array } | null;
  /** Whether ordinary clients have a line to show. */
  readonly hasLine: boolean;
  /** The room an invitation is about, for ordinary clients. */
  readonly invitesTo: BareJid | null;
}

/** An ephemeral message, never stored by anyone. */
export interface OutgoingEphemeral {
  readonly sphere: SphereId;
  /** The epoch event under whose key it is sealed. */
  readonly epoch: EventId;
  readonly bytes: Uint8Array;
}

/** Takes messages to where they belong over the one XMPP connection. */
export interface Carrier {
  /** Resolves with the archive id once the room has sent the message back; `disconnected` while we are not in it. */
  toRoom(room: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<string | null>;
  /** Resolves when the connection took it. */
  toAccount(jid: BareJid, message: OutgoingMessage, signal: AbortSignal): Promise<void>;
  toRoomNow(room: BareJid, message: OutgoingEphemeral): Promise<void>;
  /** Whether anybody else in the room says that it reads ephemeral messages. */
  isHeard(room: BareJid): Promise<boolean>;
  isInRoom(room: BareJid): boolean;
  /** Whether the server does not let us into the room, which may last. */
  isKeptOut(room: BareJid): boolean;
  /** Whether what the archive of a room, or of our account for `null`, held at our return was looked through. */
  isLookedThrough(room: BareJid | null): boolean;
  readonly isOnline: boolean;
}
