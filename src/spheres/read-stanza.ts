import type { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Element } from '../xmpp/element.ts';
import { attr, child, childText } from '../xmpp/element.ts';
import { splitJid } from '../xmpp/jid.ts';
import { readPart } from '../xmpp/line-part.ts';
import type { RoomMessage } from '../xmpp/room-types.ts';
import { stanzaError } from '../xmpp/stanza-error.ts';
import { readEphemeral, readSealed } from '../xmpp/sealed.ts';
import { NS_MUC_USER } from '../xmpp/xep/0045-muc.ts';
import { readOriginId, readStanzaId } from '../xmpp/xep/0359-stanza-ids.ts';
import { readOmemoMessage } from '../xmpp/xep/0384-omemo.ts';
import { readLineMarks } from './read-talk-notes.ts';
import type { IncomingEphemeral, IncomingMessage, OwnMessage } from './incoming-message.ts';

/** A message of a room; undefined when its author's account is not known or it says nothing. */
export function readRoomMessage(room: BareJid, message: RoomMessage, nowMs: number): IncomingMessage | undefined {
  if (message.from === null) return undefined;
  const content = readContent(message.stanza);
  if (content === undefined) return undefined;
  // A server may name any moment; times here begin with 1970.
  const atMs = Math.max(0, message.delayMs ?? nowMs);
  const id = readId(message.stanza);
  const { from, stanzaId: archiveId } = message;
  return { room, from, peer: null, id, archiveId, atMs, isLive: !message.archived, ...content };
}

/**
 * A message between our account and another one, whichever device of ours it was sent to or from. `archived` is given
 * for messages out of our own archive. `isCopy`: it went to another device of ours, which answers for it (XEP-0280 §9).
 */
export function readDirectMessage(
  own: BareJid,
  stanza: Element,
  archived: { readonly id: string; readonly delayMs: number | undefined } | null,
  nowMs: number,
  isCopy = false,
): IncomingMessage | undefined {
  const type = attr(stanza, 'type') ?? 'normal';
  if (stanza.name !== 'message' || (type !== 'chat' && type !== 'normal')) return undefined;
  const from = readBare(attr(stanza, 'from'));
  const content = readContent(stanza);
  const peer = from === own ? readBare(attr(stanza, 'to')) : from;
  if (from === undefined || peer === undefined || content === undefined) return undefined;
  // A person's notes to themselves in other programs say nothing to anybody; our own devices speak to each other so.
  if (peer === own && content.sealed === null) return undefined;
  // XEP-0045 §7.5: what an occupant of a room whispers comes from the room, which is nobody's account.
  if (child(stanza, 'x', NS_MUC_USER) !== undefined) return undefined;
  const archiveId = archived?.id ?? readStanzaId(stanza, own) ?? null;
  const atMs = Math.max(0, archived?.delayMs ?? nowMs);
  const marks = readLineMarks(stanza, { isFirstHand: from !== own && !isCopy, isLive: archived === null });
  return { room: null, from, peer, id: readId(stanza), archiveId, atMs, marks, ...content };
}

/** What our own archive holds of a message that we sent to one account. */
export function readOwnMessage(own: BareJid, stanza: Element): OwnMessage | undefined {
  const to = readBare(attr(stanza, 'to'));
  const id = readId(stanza);
  if (stanza.name !== 'message' || readBare(attr(stanza, 'from')) !== own || to === undefined) return undefined;
  const omemo = readOmemoMessage(stanza);
  return id === null || omemo === undefined ? undefined : { to, id, omemo };
}

/** A message to one account that could not be delivered. `id` is the one it was sent under. */
export interface Bounce {
  readonly from: BareJid;
  readonly id: string | null;
  readonly error: AppError;
}

/** A room's refusals come from inside the room. */
export function readBounce(stanza: Element): Bounce | undefined {
  if (stanza.name !== 'message' || attr(stanza, 'type') !== 'error') return undefined;
  const from = readBare(attr(stanza, 'from'));
  return from === undefined ? undefined : { from, id: attr(stanza, 'id') ?? null, error: stanzaError(stanza) };
}

export function readRoomEphemeral(room: BareJid, message: RoomMessage): IncomingEphemeral | undefined {
  // What comes out of an archive was meant for a moment that is over.
  const part = message.archived ? undefined : readEphemeral(message.stanza);
  return part === undefined ? undefined : { room, ...part };
}

function readContent(stanza: Element): Pick<IncomingMessage, 'omemo' | 'sealed' | 'part' | 'body'> | undefined {
  const omemo = readOmemoMessage(stanza) ?? null;
  const sealed = readSealed(stanza) ?? null;
  const body = omemo === null ? (childText(stanza, 'body') ?? null) : null;
  const part = readPart(stanza);
  return omemo === null && body === null ? undefined : { omemo, sealed, ...(part === undefined ? {} : { part }), body };
}

function readId(stanza: Element): string | null {
  return readOriginId(stanza) ?? attr(stanza, 'id') ?? null;
}

function readBare(address: string | undefined): BareJid | undefined {
  try {
    return parseBareJid(splitJid(address ?? '').bare);
  } catch {
    // A server's own address has no local part: nobody's account.
    return undefined;
  }
}
