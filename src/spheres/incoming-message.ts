import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { OmemoMessage } from '../omemo/types.ts';
import type { TextRange } from '../xmpp/xep/0428-fallback.ts';

/** What a message between two people says beside its text. OMEMO 0.3 covers none of it: it is what the server gives. */
export interface LineMarks {
  /** The id under which its author wants to hear that it came; null = that was not asked of this device. */
  readonly receipt: string | null;
  /** It came as it was said, not out of the archive. */
  readonly isLive: boolean;
  readonly isMarkable: boolean;
  /** The message whose text this one replaces, takes away, or answers. */
  readonly corrects: string | null;
  readonly retracts: string | null;
  readonly answers: string | null;
  /** Its text holds all the signs of its author on the message that it answers. */
  readonly isSigns: boolean;
  /** The part of its text that quotes what it answers. */
  readonly quote: TextRange | null;
}

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
  /** Says, to whoever can read it, of which longer text its text is a piece. */
  readonly part?: Uint8Array | undefined;
  /** Text that came without encryption. */
  readonly body: string | null;
  /** What stands beside the text in a message between two people. */
  readonly marks?: LineMarks | undefined;
  /** When it was sent, as the archive says, else when it came. */
  readonly atMs: number;
  /** In a room: it came as it was said, not out of the archive. */
  readonly isLive?: boolean | undefined;
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
