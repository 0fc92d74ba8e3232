// XEP-0153: vCard-Based Avatars, version 1.1.1
import { attr, child, childText, type Element } from '../element.ts';
import { bareJidOf } from '../jid.ts';
import type { AvatarNews } from './0084-avatar.ts';
import { SHA1 } from './0084-avatar.ts';

const NS_UPDATE = 'vcard-temp:x:update';

/** §3.2: what the picture in the sender's vCard is; undefined when the presence says nothing about it. */
export function readVCardNews(presence: Element): AvatarNews | undefined {
  const jid = bareJidOf(attr(presence, 'from'));
  const type = attr(presence, 'type');
  const photo = childText(child(presence, 'x', NS_UPDATE), 'photo')
    ?.trim()
    .toLowerCase();
  // §4.3: without the element the program does not know yet.
  if (presence.name !== 'presence' || type !== undefined || jid === undefined || photo === undefined) return undefined;
  if (photo === '') return { jid, id: null };
  return SHA1.test(photo) ? { jid, id: photo } : undefined;
}
