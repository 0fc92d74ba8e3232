// XEP-0333: Displayed Markers, version 1.0.0
import { child, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_MARKERS = 'urn:xmpp:chat-markers:0';

/** Asks whoever reads the message to say so. */
export function markable(): Element {
  return xml('markable', { xmlns: NS_MARKERS });
}

export function isMarkable(message: Element): boolean {
  return child(message, 'markable', NS_MARKERS) !== undefined;
}

/** Says that the message of this id, and all before it, were shown to the person. */
export function displayed(id: string): Element {
  return xml('displayed', { xmlns: NS_MARKERS, id });
}

/** Up to which message was read. */
export function readDisplayed(message: Element): string | undefined {
  return idAttribute(child(message, 'displayed', NS_MARKERS));
}
