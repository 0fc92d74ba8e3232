import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { OmemoMessage } from '../omemo/types.ts';

/** A message from a room or from one account, read from XML and with its sender's real address. */
export interface IncomingMessage {
  /** null = sent to us alone. */
  readonly room: BareJid | null;
  readonly from: BareJid;
  /** With whom we are alone: the author, or whom another device of ours wrote to. null in a room. */
  readonly peer: BareJid | null;
  /** The id its author gave it: a claim, good for recognising our own. */
  readonly id: string | null;
  /** The archive's id, given by the room or our own server; null when it keeps no archive. */
  readonly archiveId: string | null;
  readonly omemo: OmemoMessage | null;
  readonly sealed: { readonly sphere: SphereId; readonly event: EventId; readonly bytes: Uint8Array } | null;
  /** Text that came without encryption. */
  readonly body: string | null;
  /** When it was sent, as the archive says, else when it came. */
  readonly atMs: number;
}

/** One of our own messages, as the archive of where it went holds it. */
export interface OwnMessage {
  readonly to: BareJid;
  readonly id: string;
  readonly omemo: OmemoMessage;
}

export interface IncomingEphemeral {
  readonly room: BareJid;
  readonly sphere: SphereId;
  readonly epoch: EventId;
  readonly bytes: Uint8Array;
}
