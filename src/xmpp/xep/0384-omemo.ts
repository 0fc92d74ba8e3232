// XEP-0384: OMEMO Encryption, version 0.3.0
import { equalBytes, toBase64 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { BareJid } from '../../base/id.ts';
import { readBase64 } from '../base64-text.ts';
import { attr, child, children, type Element, readInteger, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';
import { fetchItems, type PubsubItem, readPubsubEvent } from './0060-pubsub.ts';
import { publishToPep } from './0163-pep.ts';

export const NS_OMEMO = 'eu.siacs.conversations.axolotl';
export const DEVICE_LIST_NODE = `${NS_OMEMO}.devicelist`;
export const MAX_DEVICES = 50;
const ITEM_ID = 'current';
const MAX_ID = 0x7fff_ffff;
const MAX_KEYS = 500;
const MAX_PRE_KEYS = 500;
const MAX_KEY_BYTES = 4096;
const MAX_PAYLOAD_BYTES = 64 * 1024;
const PUBLIC_KEY_BYTES = 33;
const SIGNATURE_BYTES = 64;

/** The key of a message, encrypted for one device. */
export interface OmemoKeyElement {
  readonly deviceId: number;
  readonly preKey: boolean;
  readonly data: Uint8Array;
}

export interface OmemoMessage {
  readonly senderDeviceId: number;
  readonly keys: readonly OmemoKeyElement[];
  readonly iv: Uint8Array;
  /** null for a message that only carries a key. */
  readonly payload: Uint8Array | null;
}

export interface PublicPreKey {
  readonly id: number;
  readonly publicKey: Uint8Array;
}

/** What a device publishes so that others can start a session with it. All keys have 33 bytes, the first is 0x05. */
export interface OmemoBundle {
  readonly identityKey: Uint8Array;
  readonly signedPreKey: PublicPreKey & { readonly signature: Uint8Array };
  readonly preKeys: readonly PublicPreKey[];
}

export function bundleNode(deviceId: number): string {
  return `${NS_OMEMO}.bundles:${deviceId}`;
}

/** The encrypted part of a message; undefined when it has none that is well-formed. */
export function readOmemoMessage(message: Element): OmemoMessage | undefined {
  const encrypted = child(message, 'encrypted', NS_OMEMO);
  const header = child(encrypted, 'header', NS_OMEMO);
  const senderDeviceId = readId(attr(header, 'sid'));
  const iv = readBase64(child(header, 'iv', NS_OMEMO), 16);
  const elements = children(header, 'key', NS_OMEMO);
  if (senderDeviceId === undefined || iv === undefined || elements.length > MAX_KEYS) return undefined;
  // Older clients use 16 bytes.
  if (iv.length !== 12 && iv.length !== 16) return undefined;
  const payload = child(encrypted, 'payload', NS_OMEMO);
  const bytes = payload === undefined ? null : readBase64(payload, MAX_PAYLOAD_BYTES);
  if (bytes === undefined) return undefined;
  const keys = elements.map(readKey).filter((key) => key !== undefined);
  return { senderDeviceId, keys, iv, payload: bytes };
}

function readKey(element: Element): OmemoKeyElement | undefined {
  const deviceId = readId(attr(element, 'rid'));
  const data = readBase64(element, MAX_KEY_BYTES);
  if (deviceId === undefined || data === undefined || data.length === 0) return undefined;
  return { deviceId, preKey: ['true', '1'].includes(attr(element, 'prekey') ?? ''), data };
}

function readId(text: string | undefined): number | undefined {
  const id = readInteger(text, MAX_ID);
  // Clients drop the number 0 on the way, so a session made with it never works.
  return id === 0 ? undefined : id;
}

export function omemoElement(message: OmemoMessage): Element {
  const keys = message.keys.map(({ deviceId, preKey, data }) =>
    xml('key', { rid: deviceId, prekey: preKey ? 'true' : undefined }, toBase64(data)),
  );
  const header = xml('header', { sid: message.senderDeviceId }, ...keys, xml('iv', {}, toBase64(message.iv)));
  const payload = message.payload === null ? undefined : xml('payload', {}, toBase64(message.payload));
  return xml('encrypted', { xmlns: NS_OMEMO }, header, payload);
}

/** The device ids of a list, each once; undefined when it is no list or longer than any family needs. */
export function readDeviceList(list: Element | undefined): readonly number[] | undefined {
  if (list?.is('list', NS_OMEMO) !== true) return undefined;
  const devices = children(list, 'device', NS_OMEMO);
  if (devices.length > MAX_DEVICES) return undefined;
  return [...new Set(devices.map((device) => readId(attr(device, 'id'))).filter((id) => id !== undefined))];
}

export function deviceList(deviceIds: readonly number[]): Element {
  return xml('list', { xmlns: NS_OMEMO }, ...deviceIds.map((id) => xml('device', { id })));
}

export function readBundle(bundle: Element | undefined): OmemoBundle | undefined {
  if (bundle?.is('bundle', NS_OMEMO) !== true) return undefined;
  const signed = child(bundle, 'signedPreKeyPublic', NS_OMEMO);
  const id = readInteger(attr(signed, 'signedPreKeyId'), MAX_ID);
  const publicKey = readPublicKey(signed);
  const signature = readBase64(child(bundle, 'signedPreKeySignature', NS_OMEMO), SIGNATURE_BYTES);
  const identityKey = readPublicKey(child(bundle, 'identityKey', NS_OMEMO));
  const elements = children(child(bundle, 'prekeys', NS_OMEMO), 'preKeyPublic', NS_OMEMO);
  if (id === undefined || publicKey === undefined || identityKey === undefined) return undefined;
  if (signature?.length !== SIGNATURE_BYTES || elements.length > MAX_PRE_KEYS) return undefined;
  const preKeys = elements.map(readPreKey).filter((key) => key !== undefined);
  return { identityKey, signedPreKey: { id, publicKey, signature }, preKeys };
}

function readPreKey(element: Element): PublicPreKey | undefined {
  const id = readId(attr(element, 'preKeyId'));
  const publicKey = readPublicKey(element);
  return id === undefined || publicKey === undefined ? undefined : { id, publicKey };
}

function readPublicKey(element: Element | undefined): Uint8Array | undefined {
  const key = readBase64(element, PUBLIC_KEY_BYTES);
  return key?.length === PUBLIC_KEY_BYTES && equalBytes(key.subarray(0, 1), Uint8Array.of(5)) ? key : undefined;
}

export function bundleElement(bundle: OmemoBundle): Element {
  const { identityKey, signedPreKey, preKeys } = bundle;
  const keys = preKeys.map(({ id, publicKey }) => xml('preKeyPublic', { preKeyId: id }, toBase64(publicKey)));
  return xml(
    'bundle',
    { xmlns: NS_OMEMO },
    xml('signedPreKeyPublic', { signedPreKeyId: signedPreKey.id }, toBase64(signedPreKey.publicKey)),
    xml('signedPreKeySignature', {}, toBase64(signedPreKey.signature)),
    xml('identityKey', {}, toBase64(identityKey)),
    xml('prekeys', {}, ...keys),
  );
}

/** The devices that an account publishes; empty when it has never published any. Rejects with `bad-input` for a malformed list. */
export async function fetchDeviceList(
  client: XmppPort,
  jid: BareJid,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  let item: PubsubItem | undefined;
  try {
    item = newest(await fetchItems(client, jid, DEVICE_LIST_NODE, { max: 1 }, signal));
  } catch (error) {
    // Any other refusal hides a list that may exist: whoever took it for empty would publish over it.
    if (errorCondition(error) === 'item-not-found') return [];
    throw error;
  }
  if (item === undefined) return [];
  const ids = readDeviceList(item.payload);
  if (ids === undefined) throw new AppError('bad-input', 'the device list is malformed', { jid });
  return ids;
}

export async function publishDeviceList(
  client: XmppPort,
  deviceIds: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  const payload = deviceList(deviceIds);
  await publishToPep(client, { node: DEVICE_LIST_NODE, id: ITEM_ID, payload }, 'open', signal);
}

/** Rejects with `not-found` when the device publishes nothing, with `bad-input` for a malformed bundle. */
export async function fetchBundle(
  client: XmppPort,
  jid: BareJid,
  deviceId: number,
  signal?: AbortSignal,
): Promise<OmemoBundle> {
  const item = newest(await fetchItems(client, jid, bundleNode(deviceId), { max: 1 }, signal));
  if (item === undefined) throw new AppError('not-found', 'the device publishes no keys', { jid, deviceId });
  const bundle = readBundle(item.payload);
  if (bundle === undefined) throw new AppError('bad-input', 'the bundle is malformed', { jid, deviceId });
  return bundle;
}

export async function publishBundle(
  client: XmppPort,
  deviceId: number,
  bundle: OmemoBundle,
  signal?: AbortSignal,
): Promise<void> {
  const payload = bundleElement(bundle);
  await publishToPep(client, { node: bundleNode(deviceId), id: ITEM_ID, payload }, 'open', signal);
}

/** Some servers keep more than the one item that the node should hold. */
function newest(items: readonly PubsubItem[]): PubsubItem | undefined {
  return items.findLast(({ id }) => id === ITEM_ID) ?? items.at(-1);
}

/** The list in a notification, with the account that it is about: its author, who alone can send it. */
export function readDeviceListNews(
  message: Element,
): { readonly jid: BareJid; readonly deviceIds: readonly number[] } | undefined {
  const event = readPubsubEvent(message);
  if (event?.node !== DEVICE_LIST_NODE) return undefined;
  const deviceIds = readDeviceList(newest(event.items)?.payload);
  return deviceIds === undefined ? undefined : { jid: event.from, deviceIds };
}

/** Calls `listener` with every new list that reaches us; returns the function that stops it. */
export function onDeviceList(
  client: XmppPort,
  listener: (jid: BareJid, deviceIds: readonly number[]) => void,
): () => void {
  return client.onStanza.on((stanza) => {
    const news = stanza.name === 'message' ? readDeviceListNews(stanza) : undefined;
    if (news !== undefined) listener(news.jid, news.deviceIds);
  });
}
