// XEP-0308: Last Message Correction, version 1.2.1
import { child, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_CORRECTION = 'urn:xmpp:message-correct:0';

/** The text beside it takes the place of that of the message of this id. */
export function correctionOf(id: string): Element {
  return xml('replace', { xmlns: NS_CORRECTION, id });
}

/** The id of the message that this one corrects. */
export function readCorrected(message: Element): string | undefined {
  return idAttribute(child(message, 'replace', NS_CORRECTION));
}
