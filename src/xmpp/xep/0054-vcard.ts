// XEP-0054: vcard-temp, version 1.3.0
import type { BareJid } from '../../base/id.ts';
import { readBase64 } from '../base64-text.ts';
import { child, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { MAX_AVATAR_BYTES, provedBy } from './0084-avatar.ts';

const NS_VCARD = 'vcard-temp';

/** The picture in a vCard, whatever it is; undefined when there is none of a size that is taken. */
export function readVCardPhoto(answer: Element): Uint8Array | undefined {
  const photo = child(child(answer, 'vCard', NS_VCARD), 'PHOTO');
  return readBase64(child(photo, 'BINVAL'), MAX_AVATAR_BYTES);
}

/** §3.3: the picture in somebody's vCard, undefined when it is not the one with this SHA-1. */
export async function fetchVCardPhoto(
  client: XmppPort,
  { jid, id }: { readonly jid: BareJid; readonly id: string },
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const answer = await client.iq('get', jid, xml('vCard', { xmlns: NS_VCARD }), signal);
  return provedBy(id, readVCardPhoto(answer));
}
