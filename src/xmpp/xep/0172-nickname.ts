// XEP-0172: User Nickname, version 1.1
import type { BareJid } from '../../base/id.ts';
import { plainName } from '../../base/plain-name.ts';
import { type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { readLatest } from './0060-pubsub.ts';
import { publishToPep } from './0163-pep.ts';

export const NS_NICK = 'http://jabber.org/protocol/nick';
const ITEM_ID = 'current';

/** What somebody calls themselves; null when nothing that can be shown. */
export interface NickNews {
  readonly jid: BareJid;
  readonly nick: string | null;
}

/** §4.5: news of the node of an account; undefined when a message holds none. */
export function readNickNews(message: Element): NickNews | undefined {
  const latest = readLatest(message, NS_NICK);
  if (latest === undefined) return undefined;
  const { from: jid, payload } = latest;
  if (payload === null) return { jid, nick: null };
  return payload.is('nick', NS_NICK) ? { jid, nick: readName(payload.getText()) } : undefined;
}

/** One that looks like an address would be taken for that of somebody else. */
function readName(text: string): string | null {
  const name = plainName(text.slice(0, 1000));
  return name === '' || name.normalize('NFKC').includes('@') ? null : name;
}

/** For those who may see when we are online; empty = nothing. */
export async function publishNick(client: XmppPort, nick: string, signal?: AbortSignal): Promise<void> {
  const payload = xml('nick', { xmlns: NS_NICK }, nick);
  await publishToPep(client, { node: NS_NICK, id: ITEM_ID, payload }, 'presence', signal);
}
