// XEP-0249: Direct MUC Invitations, version 1.2
import type { BareJid } from '../../base/id.ts';
import { attr, child, type Element, xml } from '../element.ts';
import { bareJidOf } from '../jid.ts';

export const NS_CONFERENCE = 'jabber:x:conference';

export interface DirectInvitation {
  readonly from: BareJid;
  readonly room: BareJid;
}

/** The invitation for ordinary clients. It has no reason: what the sphere is called travels sealed. */
export function directInvitation(room: BareJid): Element {
  return xml('x', { xmlns: NS_CONFERENCE, jid: room });
}

export function readDirectInvitation(message: Element): DirectInvitation | undefined {
  const from = bareJidOf(attr(message, 'from'));
  const room = bareJidOf(attr(child(message, 'x', NS_CONFERENCE), 'jid'));
  return from === undefined || room === undefined ? undefined : { from, room };
}
