import type { ChosenDeviceView, ContactView } from '../contract/people.ts';
import type { DeliveryView, MessageView, QuoteView, ReactionView } from '../contract/views.ts';
import type { BareJid, EventId } from '../base/id.ts';
import { conversationIdOf } from '../people/conversation-id.ts';
import type { People } from '../people/people.ts';
import type { ChosenDevice } from '../spheres/device-choices.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SpheresOfTwo } from '../spheres/spheres-of-two.ts';
import type { ContactRow } from '../storage/contact-table.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { PeopleNames } from './people-names.ts';
import { beginningOf, QUOTE_LENGTH, quotedText, shownText } from './shown-text.ts';

interface PeopleViewDeps {
  readonly storage: Storage;
  readonly people: Pick<People, 'contacts' | 'devices'>;
  readonly ofTwo: Pick<SpheresOfTwo, 'all'>;
  readonly own: BareJid;
  readonly names: Pick<PeopleNames, 'of'>;
}

export function viewContact({ storage, people, ofTwo, own, names }: PeopleViewDeps, row: ContactRow): ContactView {
  const { jid, standing, subscription, asked, wants, sinceMs, readPosition } = row;
  const [latest] = storage.directMessages.newest(jid, 1);
  const shared = ofTwo.all(jid).map((sphere) => viewShared(storage, own, sphere));
  const unreadLines = storage.directMessages.countUnread(jid, readPosition);
  // Strangers get nobody's attention.
  const unread = standing === 'request' ? 0 : shared.reduce((sum, one) => sum + one.unread, unreadLines);
  const newest = [...shared, { atMs: latest?.atMs ?? 0, line: lineOf(latest) }].sort((a, b) => b.atMs - a.atMs)[0];
  return {
    ...{ jid, standing, subscription, asked, wants, unread },
    conversationId: conversationIdOf(jid),
    name: names.of(jid),
    movedFrom: movedFromOf({ storage, people, names }, jid),
    blocked: storage.blocked.has(jid),
    online: people.contacts.isOnline(jid),
    lastLine: newest?.line ?? null,
    lastActivityMs: Math.max(sinceMs, newest?.atMs ?? 0),
    trust: people.devices.trustIn(jid),
    devices: people.devices.list(jid).map(viewChosen),
  };
}

export function viewChosen({ deviceId, choice, sinceMs }: ChosenDevice): ChosenDeviceView {
  return { deviceId, choice, sinceMs };
}

function movedFromOf(
  { storage, people, names }: Pick<PeopleViewDeps, 'storage' | 'people' | 'names'>,
  jid: BareJid,
): ContactView['movedFrom'] {
  const former = people.contacts.moved.formerOf(jid);
  const row = former === undefined ? undefined : storage.contacts.get(former.from);
  if (former === undefined || row === undefined) return null;
  return { jid: row.jid, name: names.of(row.jid), isConfirmed: former.isConfirmed };
}

/** What was shared with them alone last; a sphere in which nothing was says nothing. */
function viewShared(storage: Storage, own: BareJid, { row }: Sphere) {
  const latest = storage.messages.newest(row.id, 1).find(({ kind }) => kind !== 'notice');
  return { unread: storage.messages.countUnread(row, own), atMs: latest?.atMs ?? 0, line: lineOf(latest) };
}

/** As much of it as a list shows. */
function lineOf(latest: { readonly text: string } | undefined): string | null {
  return latest === undefined ? null : beginningOf(latest.text, QUOTE_LENGTH);
}

export function viewDirectMessage(
  { storage, own, names }: Pick<PeopleViewDeps, 'storage' | 'own' | 'names'>,
  row: DirectMessageRow,
): MessageView {
  const { id, peer, mine, person, text, atMs, state, failure, encrypted, position, change } = row;
  const contact = storage.contacts.get(peer);
  const [ownName, theirName] = [names.of(own), names.of(peer)];
  return {
    ...{ id, mine, person, atMs, state, failure, encrypted, change },
    ...shownText(text),
    ...(!mine && storage.talkParts.isOpen(id) ? { arriving: true as const } : {}),
    sphereId: conversationIdOf(peer),
    from: mine ? own : peer,
    fromName: mine ? ownName : theirName,
    kind: 'text',
    itemId: null,
    delivery: mine ? viewDelivery(row, theirName, contact?.tells === true) : null,
    replyTo: row.replyTo === null ? null : viewQuote(storage, row.replyTo, { mine: ownName, theirs: theirName }),
    reactions: viewSigns(row, { mine: ownName, theirs: theirName }),
    mentionsMe: false,
    order: String(position).padStart(16, '0'),
  };
}

/** Who says what is shown of both. */
interface Names {
  readonly mine: string;
  readonly theirs: string;
}

/** Which of their devices has it is nobody's to know: all count as one. */
function viewDelivery({ state }: DirectMessageRow, theirName: string, tells: boolean): DeliveryView {
  const isSeen = state === 'seen';
  return {
    devices: 1,
    reached: isSeen || state === 'delivered' ? 1 : 0,
    seenBy: isSeen ? [theirName] : [],
    unknown: state === 'sent' && !tells ? [theirName] : [],
  };
}

function viewQuote({ directMessages }: Storage, id: EventId, names: Names): QuoteView {
  const row = directMessages.get(id);
  if (row === undefined) return { id, kind: 'text', fromName: '', text: null };
  return { id, kind: 'text', fromName: row.mine ? names.mine : names.theirs, text: quotedText(row.text) };
}

function viewSigns({ signs }: DirectMessageRow, names: Names): ReactionView[] {
  if (signs === null) return [];
  return [...new Set([...signs.theirs, ...signs.mine])].map((sign) => {
    const mine = signs.mine.includes(sign);
    return {
      sign,
      mine,
      people: [...(signs.theirs.includes(sign) ? [names.theirs] : []), ...(mine ? [names.mine] : [])],
    };
  });
}
