// XEP-0191: Blocking Command, version 1.3.1
// XEP-0377: Spam Reporting, version 0.3.0
import { AppError } from '../../base/errors.ts';
import type { BareJid } from '../../base/id.ts';
import { attr, child, children, type Element, xml } from '../element.ts';
import { bareJidOf } from '../jid.ts';
import type { XmppPort } from '../port.ts';

export const NS_BLOCKING = 'urn:xmpp:blocking';
const NS_REPORTING = 'urn:xmpp:reporting:1';
const MAX_BLOCKED = 10_000;

/** News of whom we shut out; `everybody` = the whole list was emptied (§3.6). */
export type BlockNews =
  | { readonly kind: 'blocked' | 'unblocked'; readonly jids: readonly BareJid[] }
  | { readonly kind: 'nobody' };

/** The accounts of a list; what names a server or a device as a whole is not ours to show. */
export function readBlockList(answer: Element): readonly BareJid[] {
  return readItems(child(answer, 'blocklist', NS_BLOCKING));
}

function readItems(parent: Element | undefined): readonly BareJid[] {
  return children(parent, 'item')
    .slice(0, MAX_BLOCKED)
    .flatMap((item) => {
      const address = attr(item, 'jid');
      return address?.includes('/') === true ? [] : (bareJidOf(address) ?? []);
    });
}

export async function fetchBlockList(client: XmppPort, signal?: AbortSignal): Promise<readonly BareJid[]> {
  return readBlockList(await client.iq('get', undefined, xml('blocklist', { xmlns: NS_BLOCKING }), signal));
}

/** With `report` the server's people are told that this account sends spam (XEP-0377 §3). */
export async function blockAccount(
  client: XmppPort,
  jid: BareJid,
  options: { readonly report: boolean },
  signal?: AbortSignal,
): Promise<void> {
  const report = options.report ? xml('report', { xmlns: NS_REPORTING, reason: 'urn:xmpp:reporting:spam' }) : null;
  await client.iq('set', undefined, xml('block', { xmlns: NS_BLOCKING }, xml('item', { jid }, report)), signal);
}

export async function unblockAccount(client: XmppPort, jid: BareJid, signal?: AbortSignal): Promise<void> {
  await client.iq('set', undefined, xml('unblock', { xmlns: NS_BLOCKING }, xml('item', { jid })), signal);
}

/** Calls `listener` with each change of our list that the server tells, until disposed. */
export function onBlockNews(client: XmppPort, listener: (news: BlockNews) => void): Disposable {
  const stack = new DisposableStack();
  const own = (from: string): void => {
    // §3.4: only our own account tells of its list; in anybody else's name it would be a forgery.
    if (from !== client.jid) throw new AppError('not-allowed', 'news of our list from somebody else');
  };
  const blocked = client.handleIq('set', NS_BLOCKING, 'block', ({ from, payload }) => {
    own(from);
    listener({ kind: 'blocked', jids: readItems(payload) });
    return undefined;
  });
  const unblocked = client.handleIq('set', NS_BLOCKING, 'unblock', ({ from, payload }) => {
    own(from);
    // §3.6: without items everybody is let in again.
    const isAll = payload.getChildElements().length === 0;
    listener(isAll ? { kind: 'nobody' } : { kind: 'unblocked', jids: readItems(payload) });
    return undefined;
  });
  stack.use(blocked);
  stack.use(unblocked);
  return stack;
}
