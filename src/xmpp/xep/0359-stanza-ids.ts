// XEP-0359: Unique and Stable Stanza IDs, version 0.7.0
import { attr, child, children, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';
import { sameJid } from '../jid.ts';

export const NS_SID = 'urn:xmpp:sid:0';

/** The id that `by` gave the message; an id in anyone else's name may be forged (§5). */
export function readStanzaId(message: Element, by: string): string | undefined {
  const own = children(message, 'stanza-id', NS_SID).filter((element) => sameJid(attr(element, 'by') ?? '', by));
  // Two ids in one name: one of them was there before the archive took the others out.
  return own.length === 1 ? idAttribute(own[0]) : undefined;
}

/** The id that the author gave the message: a claim, good for recognising our own. */
export function readOriginId(message: Element): string | undefined {
  return idAttribute(child(message, 'origin-id', NS_SID));
}

export function originId(id: string): Element {
  return xml('origin-id', { xmlns: NS_SID, id });
}
