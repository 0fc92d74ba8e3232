import type { BareJid } from '../base/id.ts';
import type { Element } from '../xmpp/element.ts';
import { attr } from '../xmpp/element.ts';
import { bareJidOf } from '../xmpp/jid.ts';
import { readOwnRead } from '../xmpp/own-read.ts';
import { hasSignsMark } from '../xmpp/signs.ts';
import { readChatState } from '../xmpp/xep/0085-chat-states.ts';
import { readReceipt, readReceiptRequest } from '../xmpp/xep/0184-receipts.ts';
import { readCorrected } from '../xmpp/xep/0308-correction.ts';
import { isMarkable, readDisplayed } from '../xmpp/xep/0333-markers.ts';
import { readRetracted } from '../xmpp/xep/0424-retraction.ts';
import { readFallbackRange } from '../xmpp/xep/0428-fallback.ts';
import { readReactions } from '../xmpp/xep/0444-reactions.ts';
import { NS_REPLY, readAnswered } from '../xmpp/xep/0461-replies.ts';
import type { TalkNote } from './direct-talk.ts';
import type { LineMarks } from './incoming-message.ts';

/** How a message came: `isFirstHand` to this device alone, `isLive` not out of the archive. */
type Arrival = { readonly isFirstHand: boolean; readonly isLive: boolean };

/** What stands beside the text of a message to one person. */
export function readLineMarks(stanza: Element, { isFirstHand, isLive }: Arrival): LineMarks {
  const answers = readAnswered(stanza) ?? null;
  return {
    receipt: (isFirstHand ? readReceiptRequest(stanza) : undefined) ?? null,
    isLive,
    isMarkable: isMarkable(stanza),
    corrects: readCorrected(stanza) ?? null,
    retracts: readRetracted(stanza) ?? null,
    answers,
    isSigns: answers !== null && hasSignsMark(stanza),
    quote: readFallbackRange(stanza, NS_REPLY) ?? null,
  };
}

/** What a message between our account and another one says of lines and of its author, text or not. */
export function readTalkNotes(own: BareJid, stanza: Element, atMs: number): readonly TalkNote[] {
  const type = attr(stanza, 'type') ?? 'normal';
  if (stanza.name !== 'message' || (type !== 'chat' && type !== 'normal')) return [];
  const from = bareJidOf(attr(stanza, 'from'));
  const peer = from === own ? bareJidOf(attr(stanza, 'to')) : from;
  if (from === undefined || peer === undefined) return [];
  if (peer === own) return readOwnNote(stanza, atMs);
  const who = { peer, isOurs: from === own, atMs };
  const [received, displayed] = [readReceipt(stanza), readDisplayed(stanza)];
  const [reactions, state] = [readReactions(stanza), readChatState(stanza)];
  return [
    ...(received === undefined ? [] : [{ kind: 'received' as const, id: received, ...who }]),
    ...(displayed === undefined ? [] : [{ kind: 'displayed' as const, id: displayed, ...who }]),
    ...(reactions === undefined ? [] : [{ kind: 'reactions' as const, ...reactions, ...who }]),
    ...(state === undefined ? [] : [{ kind: 'state' as const, state, ...who }]),
  ];
}

/** What our account says to itself. */
function readOwnNote(stanza: Element, atMs: number): readonly TalkNote[] {
  const read = readOwnRead(stanza);
  return read === undefined ? [] : [{ kind: 'displayed', ...read, isOurs: true, atMs }];
}
