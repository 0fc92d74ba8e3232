import type { ContactView } from '../contract/people.ts';
import type { MessageView } from '../contract/views.ts';
import type { BareJid } from '../base/id.ts';
import { conversationIdOf } from '../people/conversation-id.ts';
import type { People } from '../people/people.ts';
import type { ContactRow } from '../storage/contact-table.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { personName } from './person-name.ts';

interface PeopleViewDeps {
  readonly storage: Storage;
  readonly people: Pick<People, 'contacts'>;
  readonly own: BareJid;
}

export function viewContact({ storage, people }: PeopleViewDeps, row: ContactRow): ContactView {
  const { jid, standing, subscription, asked, wants, sinceMs, readPosition } = row;
  const [latest] = storage.directMessages.newest(jid, 1);
  // Strangers get nobody's attention.
  const unread = standing === 'request' ? 0 : storage.directMessages.countUnread(jid, readPosition);
  return {
    ...{ jid, standing, subscription, asked, wants, unread },
    conversationId: conversationIdOf(jid),
    name: nameOf(row),
    blocked: storage.blocked.has(jid),
    online: people.contacts.isOnline(jid),
    lastLine: latest?.text.slice(0, 200) ?? null,
    lastActivityMs: Math.max(sinceMs, latest?.atMs ?? 0),
  };
}

export function viewDirectMessage({ storage, own }: PeopleViewDeps, row: DirectMessageRow): MessageView {
  const { id, peer, mine, text, atMs, state, failure, encrypted, position } = row;
  const contact = storage.contacts.get(peer);
  return {
    ...{ id, mine, text, atMs, state, failure, encrypted },
    sphereId: conversationIdOf(peer),
    from: mine ? own : peer,
    fromName: mine || contact === undefined ? personName(mine ? own : peer) : nameOf(contact),
    kind: 'text',
    itemId: null,
    delivery: null,
    replyTo: null,
    reactions: [],
    change: 'none',
    mentionsMe: false,
    order: String(position).padStart(16, '0'),
  };
}

function nameOf({ jid, name, nick }: ContactRow): string {
  return name ?? nick ?? personName(jid);
}
