import type { BareJid } from '../base/id.ts';
import { attr, child, type Element, xml } from './element.ts';
import { idAttribute } from './id-attribute.ts';
import { bareJidOf } from './jid.ts';

const NS_OWN_READ = 'urn:spherecast:read:0';

/** To our own account: the line of `peer` with this id, and all before it, were read. Its author learns nothing of that. */
export function ownRead(peer: BareJid, id: string): Element {
  return xml('read', { xmlns: NS_OWN_READ, peer, id });
}

/** What another device of ours has read; the caller knows that the message goes from our account to itself. */
export function readOwnRead(message: Element): { readonly peer: BareJid; readonly id: string } | undefined {
  const mark = child(message, 'read', NS_OWN_READ);
  const peer = bareJidOf(attr(mark, 'peer'));
  const id = idAttribute(mark);
  return peer === undefined || id === undefined ? undefined : { peer, id };
}
