// XEP-0461: Message Replies, version 0.2.0
import { child, type Element, xml } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_REPLY = 'urn:xmpp:reply:0';

/** Says that the message answers the one of this id, which `to` wrote. */
export function replyTo({ to, id }: { readonly to: string; readonly id: string }): Element {
  return xml('reply', { xmlns: NS_REPLY, to, id });
}

/** The id of the message that this one answers. */
export function readAnswered(message: Element): string | undefined {
  return idAttribute(child(message, 'reply', NS_REPLY));
}
