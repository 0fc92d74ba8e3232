import type { BareJid } from '../base/id.ts';
import type { Element } from './element.ts';
import type { Affiliation } from './xep/0045-muc.ts';
import type { CapsTag } from './xep/0115-caps.ts';

/** One presence in the room: a person may have several, one per device. */
export interface Occupant {
  readonly nick: string;
  /** The real account; null in a room that hides it. */
  readonly jid: BareJid | null;
  readonly fullJid: string | null;
  readonly affiliation: Affiliation;
  readonly occupantId: string | null;
  readonly caps: CapsTag | null;
}

/** A message of the room, live or from its archive. */
export interface RoomMessage {
  readonly stanza: Element;
  /** The author's real account: of the occupant for a live message, as the archive noted it for an archived one. */
  readonly from: BareJid | null;
  readonly nick: string;
  /** The room's own id for it, the same live and in the archive; null when the room keeps no archive. */
  readonly stanzaId: string | null;
  readonly archived: boolean;
  /** Whether it is our own message coming back, sent since this room object was made. */
  readonly isReflection: boolean;
  /** When the room got it, for an archived message. */
  readonly delayMs: number | null;
}

/** Why the server keeps us out. It is tried again slowly: a server may err, lie, or change its mind. */
export type RefusalReason = 'banned' | 'not-a-member' | 'destroyed';

export type RoomState =
  | { readonly kind: 'outside' }
  /** On the way in, or back in after the connection was lost. */
  | { readonly kind: 'entering' }
  | { readonly kind: 'inside' }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };
