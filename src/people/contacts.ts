import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { ContactRow } from '../storage/contact-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Element } from '../xmpp/element.ts';
import { domainOf } from '../xmpp/jid.ts';
import type { XmppPort, XmppState } from '../xmpp/port.ts';
import type { RosterItem } from '../xmpp/roster.ts';
import {
  fetchRoster,
  onRosterNews,
  preauth,
  readSubscriptionNews,
  removeRosterItem,
  sendSubscription,
  setRosterItem,
} from '../xmpp/roster.ts';
import { fetchMoved, movedFrom, readMovedFrom } from '../xmpp/xep/0283-moved.ts';
import { conversationIdOf } from './conversation-id.ts';
import type { ToldMove } from '../spheres/told-moves.ts';
import { ManualTrust } from '../spheres/manual-trust.ts';
import { ComparedKeys } from './compared-keys.ts';
import { MovedBook } from './moved-book.ts';
import { PresenceBook } from './presence-book.ts';

interface ContactsDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  /** Whether we share a sphere with this account: such people are no strangers. */
  readonly sharesSphere: (jid: BareJid) => boolean;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** `token`: out of a link that they gave away. `old`: the account by which they know us. */
interface NewContact {
  readonly name: string | null;
  readonly token?: string | undefined;
  readonly old?: BareJid | undefined;
}

/** Somebody goes on under another address. */
export interface Moved {
  readonly from: BareJid;
  readonly to: BareJid;
}

/** At most so many requests of strangers are kept. */
const MAX_REQUESTS = 20;
/** Nor must one server keep out the others: addresses cost nothing there. */
const MAX_REQUESTS_OF_SERVER = 10;
/** What is known of people on the list alone. */
const NO_NAME = { name: null, nick: null, avatar: null };

/** The people we know and those who ask: the account's roster, kept here so that it is there without a connection. */
export class Contacts implements Disposable {
  /** Something about this person is different; their row may be gone. */
  readonly onChange: Emitter<BareJid>;
  /** Somebody we know is on the list under another address now. */
  readonly onMoved: Emitter<Moved>;
  /** Who of those that ask is somebody we know. */
  readonly moved: MovedBook;
  readonly #deps: ContactsDeps;
  readonly #presence: PresenceBook;
  readonly #stack = new DisposableStack();

  constructor(deps: ContactsDeps) {
    this.#deps = deps;
    const onError = (error: unknown): void => deps.log.error('contact listener failed', { error });
    this.onChange = new Emitter(onError);
    this.onMoved = new Emitter(onError);
    this.moved = new MovedBook(deps);
    this.#presence = new PresenceBook((jid) => this.onChange.emit(jid));
    const { client } = deps;
    this.#stack.use(onRosterNews(client, (items) => this.#learn(items)));
    const stops = [
      client.onStanza.on((stanza) => this.#takePresence(stanza)),
      client.onState.on((state) => this.#connectionChanged(state)),
    ];
    for (const stop of stops) this.#stack.defer(stop);
  }

  /** In each new session, before our presence is sent: whoever is online is told to whoever has asked for the list. */
  async begin(signal: AbortSignal): Promise<void> {
    const items = await fetchRoster(this.#deps.client, signal);
    const listed = new Set(items.map(({ jid }) => jid));
    const gone = this.#contacts.withStanding('contact').filter(({ jid }) => !listed.has(jid));
    this.#learn([...items, ...gone.map((row) => ({ ...row, subscription: 'remove' as const }))]);
  }

  get(jid: BareJid): ContactRow | undefined {
    return this.#contacts.get(jid);
  }

  list(): readonly ContactRow[] {
    return this.#contacts.list();
  }

  /** Without a connection nobody is seen. */
  isOnline(jid: BareJid): boolean {
    return this.#deps.client.state.kind === 'online' && this.#presence.isOnline(jid);
  }

  /** Whose conversation this is; undefined for a sphere's. */
  peerOf(conversationId: SphereId): BareJid | undefined {
    return this.#contacts.list().find(({ jid }) => conversationIdOf(jid) === conversationId)?.jid;
  }

  /**
   * Whether this person may hear by themselves what we do: that something came, was read or is being typed. XEP-0184 §5.5:
   * it tells as much as presence does, so it is for those who may see that.
   */
  mayKnow(jid: BareJid): boolean {
    const row = this.#contacts.get(jid);
    const isSeen = row?.subscription === 'from' || row?.subscription === 'both';
    return row?.standing === 'contact' && isSeen && !this.#deps.storage.blocked.has(jid);
  }

  isStranger(jid: BareJid): boolean {
    const standing = this.#contacts.get(jid)?.standing ?? 'request';
    return standing === 'request' && !this.#deps.sharesSphere(jid);
  }

  /** Whether what this account says is kept at all: of strangers only so much, of those we shut out nothing. */
  admits(jid: BareJid): boolean {
    const { storage, sharesSphere } = this.#deps;
    if (storage.blocked.has(jid)) return false;
    return this.#contacts.get(jid) !== undefined || sharesSphere(jid) || this.#hasRoomFor(jid);
  }

  /** Somebody talks with us, or we with them. Undefined when they are strangers and too many ask already. */
  meet(jid: BareJid, isOurWish: boolean): ContactRow | undefined {
    const { sharesSphere, clock } = this.#deps;
    const known = this.#contacts.get(jid);
    const isFriendly = isOurWish || sharesSphere(jid);
    if (known !== undefined) {
      if (known.standing !== 'request' || !isFriendly) return known;
      this.#contacts.update(jid, { standing: 'met' });
      return { ...known, standing: 'met' };
    }
    if (!isFriendly && !this.#hasRoomFor(jid)) return undefined;
    const row = newContact(jid, isFriendly ? 'met' : 'request', clock.now());
    this.#contacts.put(row);
    return row;
  }

  /** Puts them on our list, lets them see when we are online if they asked, and asks the same of them. */
  async add(jid: BareJid, { name, token, old }: NewContact, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#deps;
    if (jid === client.jid) throw new AppError('conflict', 'this is our own address');
    const known = this.#contacts.get(jid);
    await setRosterItem(client, { jid, name: name ?? known?.name ?? null }, signal);
    const row = known ?? newContact(jid, 'contact', clock.now());
    const isSeen = row.subscription === 'to' || row.subscription === 'both';
    if (row.wants) await sendSubscription(client, jid, 'subscribed');
    if (!isSeen && token !== undefined) await sendSubscription(client, jid, 'subscribe', preauth(token));
    // Prosody 0.12 loses a request with some tokens: whoever answered the first takes no notice of the second.
    if (!isSeen) await sendSubscription(client, jid, 'subscribe', old === undefined ? undefined : movedFrom(old));
    // News of the list may have come meanwhile.
    const latest = this.#contacts.get(jid) ?? row;
    this.#put({ ...latest, standing: 'contact', name: name ?? latest.name, asked: !isSeen, wants: false });
  }

  /** Shows that somebody we know has another address now, as far as that is proved. Whether nothing is left to be done. */
  async offer(move: ToldMove, signal: AbortSignal): Promise<boolean> {
    const { from, to } = move;
    const { blocked } = this.#deps.storage;
    // Whom we shut out gets nothing by moving; they may be let in again.
    if (blocked.has(from) || blocked.has(to)) return false;
    const former = await this.moved.check(move, signal);
    if (former === undefined || this.meet(to, false) === undefined) return false;
    this.moved.note(to, former);
    this.onChange.emit(to);
    return true;
  }

  /** Somebody on our list goes on under another address: name, place and all that was said go along, and with them what `along` moves. */
  async follow({ from, to }: Moved, signal: AbortSignal, along?: () => void): Promise<void> {
    const { client, storage, clock } = this.#deps;
    if (storage.blocked.has(from) || storage.blocked.has(to))
      throw new AppError('not-allowed', 'this person is blocked');
    const before = this.#required(from);
    const isListed = before.standing === 'contact';
    if (isListed) await this.add(to, { name: before.name }, signal);
    storage.transaction(() => {
      const known = this.#contacts.get(to) ?? newContact(to, 'met', clock.now());
      const standing = known.standing === 'request' ? 'met' : known.standing;
      const { nick, avatar, sinceMs } = before;
      const readPosition = Math.max(known.readPosition, before.readPosition);
      this.#contacts.put({ ...known, standing, name: known.name ?? before.name, nick, avatar, sinceMs, readPosition });
      storage.directMessages.changePeer(from, to);
      storage.portraits.move(from, to);
      // Lines that wait must find at the new address what protects them.
      ComparedKeys.carry(storage, { from, to });
      ManualTrust.carry(storage, { from, to });
      along?.();
      this.#contacts.remove(from);
      this.moved.forget(to);
    });
    this.#presence.forget(from);
    for (const jid of [from, to]) this.onChange.emit(jid);
    this.onMoved.emit({ from, to });
    if (isListed) await removeRosterItem(client, from, signal);
  }

  async rename(jid: BareJid, name: string | null, signal: AbortSignal): Promise<void> {
    const row = this.#required(jid);
    if (row.standing === 'contact') await setRosterItem(this.#deps.client, { jid, name }, signal);
    this.#put({ ...row, name });
  }

  async remove(jid: BareJid, signal: AbortSignal): Promise<void> {
    this.#required(jid);
    await removeRosterItem(this.#deps.client, jid, signal);
    this.#leaveList(jid);
    this.onChange.emit(jid);
  }

  /** Forgets a request and what came with it. */
  async decline(jid: BareJid): Promise<void> {
    const row = this.#required(jid);
    // RFC 6121 §3.1.6: without an answer the server asks again in every session.
    if (row.wants) await sendSubscription(this.#deps.client, jid, 'unsubscribed');
    this.moved.forget(jid);
    if (row.standing === 'request') this.#contacts.remove(jid);
    else this.#contacts.update(jid, { wants: false });
    this.onChange.emit(jid);
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }

  get #contacts() {
    return this.#deps.storage.contacts;
  }

  #required(jid: BareJid): ContactRow {
    const row = this.#contacts.get(jid);
    if (row === undefined) throw new AppError('not-found', 'nobody of this address is known');
    return row;
  }

  #put(row: ContactRow): void {
    this.#contacts.put(row);
    this.onChange.emit(row.jid);
  }

  #hasRoomFor(jid: BareJid): boolean {
    const requests = this.#contacts.withStanding('request');
    const ofServer = requests.filter((row) => domainOf(row.jid) === domainOf(jid));
    return requests.length < MAX_REQUESTS && ofServer.length < MAX_REQUESTS_OF_SERVER;
  }

  #learn(items: readonly RosterItem[]): void {
    const { client, storage, clock } = this.#deps;
    const others = items.filter(({ jid }) => jid !== client.jid);
    storage.transaction(() => {
      for (const { jid, name, subscription, asked } of others) {
        if (subscription === 'remove') {
          this.#leaveList(jid);
          continue;
        }
        const row = this.#contacts.get(jid) ?? newContact(jid, 'contact', clock.now());
        const wants = row.wants && subscription !== 'from' && subscription !== 'both';
        this.#contacts.put({ ...row, standing: 'contact', name, subscription, asked, wants });
      }
    });
    for (const { jid } of others) this.onChange.emit(jid);
  }

  /** What was said stays. */
  #leaveList(jid: BareJid): void {
    const { directMessages } = this.#deps.storage;
    this.#presence.forget(jid);
    if (this.#contacts.get(jid)?.standing !== 'contact') return;
    if (directMessages.count(jid) === 0) this.#contacts.remove(jid);
    else this.#contacts.update(jid, { standing: 'met', subscription: 'none', asked: false, ...NO_NAME });
  }

  /** XEP-0198 §5: a resumed session tells only what is different, so what was told before is kept for it. */
  #connectionChanged(state: XmppState): void {
    const isNew = state.kind === 'failed' || (state.kind === 'online' && !state.resumed);
    if (isNew) this.#presence.clear();
    else for (const jid of this.#presence.online) this.onChange.emit(jid);
  }

  #takePresence(stanza: Element): void {
    const news = readSubscriptionNews(stanza);
    if (news?.type === 'subscribe') this.#isAsked(news.from, readMovedFrom(stanza));
    else if (news?.type === 'unsubscribe') this.#isNoLongerAsked(news.from);
    else this.#presence.take(stanza, (jid) => this.#contacts.get(jid)?.standing === 'contact');
  }

  #isAsked(jid: BareJid, old: BareJid | undefined): void {
    const { client, spawn, storage } = this.#deps;
    if (jid === client.jid || storage.blocked.has(jid)) return;
    // Whoever we put on our list may see us too: that is what adding somebody means to people.
    if (this.#contacts.get(jid)?.standing === 'contact') {
      spawn('answer a contact', () => sendSubscription(client, jid, 'subscribed'));
      return;
    }
    const row = this.meet(jid, false);
    if (row === undefined) return;
    this.#put({ ...row, wants: true });
    if (old !== undefined)
      spawn('ask where somebody went', (signal) => this.#checkMove({ from: old, to: jid }, signal));
  }

  /** XEP-0283 §4.3: only of somebody whom we let see us, and only when the account of before says the same. */
  async #checkMove({ from, to }: Moved, signal: AbortSignal): Promise<void> {
    const isSeen = ['from', 'both'].includes(this.#contacts.get(from)?.subscription ?? 'none');
    if (!isSeen || (await fetchMoved(this.#deps.client, from, signal)) !== to) return;
    this.moved.note(to, { from, isConfirmed: true });
    this.onChange.emit(to);
  }

  #isNoLongerAsked(jid: BareJid): void {
    const row = this.#contacts.get(jid);
    if (row?.wants !== true) return;
    const isEmpty = row.standing === 'request' && this.#deps.storage.directMessages.count(jid) === 0;
    if (isEmpty) this.#contacts.remove(jid);
    else this.#contacts.update(jid, { wants: false });
    this.onChange.emit(jid);
  }
}

function newContact(jid: BareJid, standing: ContactRow['standing'], sinceMs: number): ContactRow {
  const nothing = { ...NO_NAME, asked: false, wants: false, tells: false };
  const read = { readPosition: 0, toldPosition: 0 };
  return { jid, standing, subscription: 'none', sinceMs, ...nothing, ...read };
}
