// XEP-0184: Message Delivery Receipts, version 1.4.0
import { child, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_RECEIPTS = 'urn:xmpp:receipts';

/** Asks whoever gets the message to say so. */
export function receiptRequest(): Element {
  return xml('request', { xmlns: NS_RECEIPTS });
}

/** Says that the message of this id has come. */
export function receipt(id: string): Element {
  return xml('received', { xmlns: NS_RECEIPTS, id });
}

/** The id to answer with, when the message asks for it. */
export function readReceiptRequest(message: Element): string | undefined {
  return child(message, 'request', NS_RECEIPTS) === undefined ? undefined : idAttribute(message);
}

/** Which message of ours has come. */
export function readReceipt(message: Element): string | undefined {
  return idAttribute(child(message, 'received', NS_RECEIPTS));
}
