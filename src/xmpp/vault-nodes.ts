// XEP-0163: Personal Eventing Protocol, version 1.2.2
import { toBase64 } from '../base/bytes.ts';
import { readBase64 } from './base64-text.ts';
import { xml } from './element.ts';
import type { XmppPort } from './port.ts';
import { fetchOwnItem, publishToPep } from './xep/0163-pep.ts';

const NS_VAULT = 'urn:spherecast:vault:0';
const ITEM_ID = 'current';
const MAX_BYTES = 48 * 1024;

/** A node for each chunk, because servers differ in how many items they keep in one. */
function nodeOf(slot: number, index: number): string {
  return `${NS_VAULT}:${slot}:${index}`;
}

/** undefined when nothing is kept there, or nothing that can be one. */
export async function fetchVaultChunk(
  client: XmppPort,
  slot: number,
  index: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const payload = await fetchOwnItem(client, { node: nodeOf(slot, index), id: ITEM_ID }, signal);
  return payload?.is('chunk', NS_VAULT) === true ? readBase64(payload, MAX_BYTES) : undefined;
}

/** Keeps a chunk where only the account itself reads it. */
export async function publishVaultChunk(
  client: XmppPort,
  at: { readonly slot: number; readonly index: number },
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const payload = xml('chunk', { xmlns: NS_VAULT }, toBase64(bytes));
  await publishToPep(client, { node: nodeOf(at.slot, at.index), id: ITEM_ID, payload }, 'whitelist', signal);
}
