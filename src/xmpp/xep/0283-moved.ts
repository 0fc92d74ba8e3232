// XEP-0283: Moved, version 0.2.0
import type { BareJid } from '../../base/id.ts';
import { parseBareJid } from '../../base/id.ts';
import { attr, child, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition, goneTo } from '../stanza-error.ts';
import { fetchItems, retractItem } from './0060-pubsub.ts';
import { publishToPep } from './0163-pep.ts';

export const NS_MOVED = 'urn:xmpp:moved:1';
const ITEM_ID = 'current';
const NOTHING = new Set(['item-not-found', 'service-unavailable', 'feature-not-implemented', 'forbidden']);

/** §4.1: says at the account that we leave, for everybody to read, where we go. */
export async function publishMoved(client: XmppPort, to: BareJid, signal?: AbortSignal): Promise<void> {
  const payload = xml('moved', { xmlns: NS_MOVED }, xml('new-jid', {}, to));
  await publishToPep(client, { node: NS_MOVED, id: ITEM_ID, payload }, 'open', signal);
}

/** What was said so is taken back: we are here again. */
export async function retractMoved(client: XmppPort, signal?: AbortSignal): Promise<void> {
  try {
    await retractItem(client, { node: NS_MOVED, id: ITEM_ID }, signal);
  } catch (error) {
    // It was never said here.
    if (!NOTHING.has(errorCondition(error) ?? '')) throw error;
  }
}

/** §4.3: where an account says that its owner went; undefined when it says nothing. */
export async function fetchMoved(client: XmppPort, from: BareJid, signal?: AbortSignal): Promise<BareJid | undefined> {
  try {
    const items = await fetchItems(client, from, NS_MOVED, { max: 1 }, signal);
    return readNewJid(items.findLast(({ id }) => id === ITEM_ID)?.payload);
  } catch (error) {
    const gone = goneTo(error);
    if (gone !== undefined) return bareAddress(gone.replace(/^xmpp:/, ''));
    if (NOTHING.has(errorCondition(error) ?? '')) return undefined;
    throw error;
  }
}

/** The element of a request to a contact of the account that we had before (§4.2). */
export function movedFrom(old: BareJid): Element {
  return xml('moved', { xmlns: NS_MOVED }, xml('old-jid', {}, old));
}

/** The account that whoever asks says to have had before; nothing proves it yet (§4.3). */
export function readMovedFrom(presence: Element): BareJid | undefined {
  if (attr(presence, 'type') !== 'subscribe') return undefined;
  return bareAddress(child(child(presence, 'moved', NS_MOVED), 'old-jid')?.getText() ?? '');
}

function readNewJid(moved: Element | undefined): BareJid | undefined {
  if (moved?.is('moved', NS_MOVED) !== true) return undefined;
  return bareAddress(child(moved, 'new-jid')?.getText() ?? '');
}

function bareAddress(text: string): BareJid | undefined {
  try {
    return parseBareJid(text.trim());
  } catch {
    // Whatever else it is, no account goes by it.
    return undefined;
  }
}
