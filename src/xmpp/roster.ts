// RFC 6121: XMPP Instant Messaging and Presence, §2 and §3
// XEP-0379: Pre-Authenticated Roster Subscription, version 0.3.1
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { attr, child, children, type Element, xml } from './element.ts';
import { bareJidOf } from './jid.ts';
import type { XmppPort } from './port.ts';

const NS_ROSTER = 'jabber:iq:roster';
const NS_PREAUTH = 'urn:xmpp:pars:0';
const MAX_ITEMS = 5000;
const MAX_NAME = 200;

export type Subscription = 'none' | 'to' | 'from' | 'both';

export interface RosterItem {
  readonly jid: BareJid;
  /** What we call them; null when the list says nothing. */
  readonly name: string | null;
  /** `remove` in news only: they are no longer on the list. */
  readonly subscription: Subscription | 'remove';
  /** We asked for their presence and have no answer (§2.1.2.2). */
  readonly asked: boolean;
}

/** A request, an answer to one, or that something was taken back (§3). */
export interface SubscriptionNews {
  readonly from: BareJid;
  readonly type: 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed';
}

/** The items of a result or of news; those that are malformed are left out. */
export function readRoster(stanza: Element): readonly RosterItem[] {
  return readItems(child(stanza, 'query', NS_ROSTER));
}

function readItems(query: Element | undefined): readonly RosterItem[] {
  return children(query, 'item')
    .slice(0, MAX_ITEMS)
    .flatMap((item) => readItem(item) ?? []);
}

function readItem(item: Element): RosterItem | undefined {
  const address = attr(item, 'jid');
  const jid = bareJidOf(address);
  // §2.1.2.4: an item is an account's, and names no device.
  if (jid === undefined || address?.includes('/') === true) return undefined;
  const name = attr(item, 'name')?.trim().slice(0, MAX_NAME);
  return {
    jid,
    name: name === undefined || name === '' ? null : name,
    subscription: readSubscription(attr(item, 'subscription')),
    asked: attr(item, 'ask') === 'subscribe',
  };
}

// §2.1.2.5: a value that is not known counts as none.
function readSubscription(text: string | undefined): RosterItem['subscription'] {
  const known = ['none', 'to', 'from', 'both', 'remove'] as const;
  return known.find((value) => value === text) ?? 'none';
}

export function readSubscriptionNews(presence: Element): SubscriptionNews | undefined {
  const type = attr(presence, 'type');
  const from = bareJidOf(attr(presence, 'from'));
  const types = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'] as const;
  const known = types.find((value) => value === type);
  return presence.name !== 'presence' || from === undefined || known === undefined ? undefined : { from, type: known };
}

/** Our list, and from now on news of it: to be asked for in each new session, before presence is sent (§2.2). */
export async function fetchRoster(client: XmppPort, signal?: AbortSignal): Promise<readonly RosterItem[]> {
  return readRoster(await client.iq('get', undefined, xml('query', { xmlns: NS_ROSTER }), signal));
}

/** Puts an account on our list, or changes what we call it; null = nothing (§2.3, §2.4). */
export async function setRosterItem(
  client: XmppPort,
  { jid, name }: Pick<RosterItem, 'jid' | 'name'>,
  signal?: AbortSignal,
): Promise<void> {
  const item = xml('item', { jid, name: name ?? undefined });
  await client.iq('set', undefined, xml('query', { xmlns: NS_ROSTER }, item), signal);
}

/** Takes an account off our list; both sides no longer see each other (§2.5). */
export async function removeRosterItem(client: XmppPort, jid: BareJid, signal?: AbortSignal): Promise<void> {
  const item = xml('item', { jid, subscription: 'remove' });
  await client.iq('set', undefined, xml('query', { xmlns: NS_ROSTER }, item), signal);
}

/** Calls `listener` with each change of our list that the server tells, until disposed. */
export function onRosterNews(client: XmppPort, listener: (items: readonly RosterItem[]) => void): Disposable {
  return client.handleIq('set', NS_ROSTER, 'query', ({ from, payload }) => {
    // §2.1.6: only our own account tells of its list; in anybody else's name it would be a forgery.
    if (from !== client.jid) throw new AppError('not-allowed', 'news of our list from somebody else');
    listener(readItems(payload));
    return undefined;
  });
}

/** `beside`: why, for those who understand it. */
export async function sendSubscription(
  client: XmppPort,
  jid: BareJid,
  type: SubscriptionNews['type'],
  beside?: Element,
): Promise<void> {
  await client.send(xml('presence', { to: jid, type, id: client.newId() }, beside));
}

/** Out of a link of theirs: so their server knows that they want it, and answers at once (XEP-0379 §3.2). */
export function preauth(token: string): Element {
  return xml('preauth', { xmlns: NS_PREAUTH, token });
}
