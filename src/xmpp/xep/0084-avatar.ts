// XEP-0084: User Avatar, version 1.1.4
import { createHash } from 'node:crypto';
import { toBase64 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { BareJid } from '../../base/id.ts';
import { readBase64 } from '../base64-text.ts';
import { attr, children, type Element, readInteger, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { fetchItems, readLatest } from './0060-pubsub.ts';
import { publishToPep } from './0163-pep.ts';

export const NS_AVATAR_DATA = 'urn:xmpp:avatar:data';
export const NS_AVATAR_METADATA = 'urn:xmpp:avatar:metadata';
/** What a picture of a person may take; it fits into a stanza of any server. */
export const MAX_AVATAR_BYTES = 100 * 1024;

const TYPES = new Set(['image/png', 'image/jpeg', 'image/webp']);
/** As pictures are named. */
export const SHA1 = /^[0-9a-f]{40}$/;
const MAX_INFOS = 20;

/** What somebody's picture is now: the SHA-1 of its bytes; null when there is none, or none that is shown. */
export interface AvatarNews {
  readonly jid: BareJid;
  readonly id: string | null;
}

/** A picture to be published. §4.1: of type `image/png`, which every program can show. */
export interface AvatarPicture {
  readonly bytes: Uint8Array;
  readonly side: number;
}

/** §4.2.2: news of the metadata node; undefined when a message holds none. */
export function readAvatarNews(message: Element): AvatarNews | undefined {
  const latest = readLatest(message, NS_AVATAR_METADATA);
  if (latest === undefined) return undefined;
  const { from: jid, payload } = latest;
  if (payload === null) return { jid, id: null };
  return payload.is('metadata', NS_AVATAR_METADATA) ? { jid, id: firstUsable(payload) ?? null } : undefined;
}

/** The first that lies at the account itself and is of a kind that is shown. */
function firstUsable(metadata: Element): string | undefined {
  const infos = children(metadata, 'info').slice(0, MAX_INFOS);
  const usable = infos.find((info) => {
    const bytes = readInteger(attr(info, 'bytes'));
    // §4.2.1: a picture at an address is fetched from whoever stands there.
    if (attr(info, 'url') !== undefined || bytes === undefined || bytes > MAX_AVATAR_BYTES) return false;
    return TYPES.has(attr(info, 'type') ?? '') && SHA1.test(idOf(info));
  });
  return usable === undefined ? undefined : idOf(usable);
}

function idOf(info: Element): string {
  return (attr(info, 'id') ?? '').toLowerCase();
}

/** §4.2.3: the bytes of a picture, undefined when they are not what the id says. */
export async function fetchAvatar(
  client: XmppPort,
  { jid, id }: { readonly jid: BareJid; readonly id: string },
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const items = await fetchItems(client, jid, NS_AVATAR_DATA, { ids: [id] }, signal);
  const data = items.find((item) => item.id.toLowerCase() === id)?.payload;
  if (data?.is('data', NS_AVATAR_DATA) !== true) return undefined;
  return provedBy(id, readBase64(data, MAX_AVATAR_BYTES));
}

/** The bytes, when their SHA-1 is this. */
export function provedBy(id: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes !== undefined && avatarId(bytes) === id ? bytes : undefined;
}

export function avatarId(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex');
}

/** §4.1, §4.2: for those who may see when we are online; its id. */
export async function publishAvatar(client: XmppPort, picture: AvatarPicture, signal?: AbortSignal): Promise<string> {
  const { bytes, side } = picture;
  if (bytes.length > MAX_AVATAR_BYTES) throw new AppError('too-large', 'the picture is too large to be published');
  const id = avatarId(bytes);
  const data = xml('data', { xmlns: NS_AVATAR_DATA }, toBase64(bytes));
  // The bytes first: whoever hears of the picture asks for it at once.
  await publishToPep(client, { node: NS_AVATAR_DATA, id, payload: data }, 'presence', signal);
  const info = xml('info', { id, bytes: bytes.length, type: 'image/png', width: side, height: side });
  const metadata = xml('metadata', { xmlns: NS_AVATAR_METADATA }, info);
  await publishToPep(client, { node: NS_AVATAR_METADATA, id, payload: metadata }, 'presence', signal);
  return id;
}

/** §4.2.4: there is no picture any more. */
export async function publishNoAvatar(client: XmppPort, signal?: AbortSignal): Promise<void> {
  const payload = xml('metadata', { xmlns: NS_AVATAR_METADATA });
  await publishToPep(client, { node: NS_AVATAR_METADATA, id: 'current', payload }, 'presence', signal);
}
