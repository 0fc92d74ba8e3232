// XEP-0424: Message Retraction, version 0.4.2
import { child, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_RETRACTION = 'urn:xmpp:message-retract:1';

/** Asks others to take away the message of this id. */
export function retractionOf(id: string): Element {
  return xml('retract', { xmlns: NS_RETRACTION, id });
}

/** The id of the message that its author takes back. */
export function readRetracted(message: Element): string | undefined {
  return idAttribute(child(message, 'retract', NS_RETRACTION));
}
