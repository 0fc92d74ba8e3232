// XEP-0172: User Nickname, version 1.1
import type { BareJid } from '../../base/id.ts';
import { plainName } from '../../base/plain-name.ts';
import { type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { readPubsubEvent } from './0060-pubsub.ts';
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
  const event = readPubsubEvent(message);
  if (event?.node !== NS_NICK) return undefined;
  const nick = event.items.at(-1)?.payload;
  if (nick === undefined) return event.retracted.length === 0 ? undefined : { jid: event.from, nick: null };
  if (!nick.is('nick', NS_NICK)) return undefined;
  return { jid: event.from, nick: readName(nick.getText()) };
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
