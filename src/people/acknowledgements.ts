import type { BareJid, EventId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { TalkNote } from '../spheres/direct-talk.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { type Element, xml } from '../xmpp/element.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { receipt } from '../xmpp/xep/0184-receipts.ts';
import { ownRead } from '../xmpp/own-read.ts';
import { displayed } from '../xmpp/xep/0333-markers.ts';
import { hint } from '../xmpp/xep/0334-hints.ts';
import type { Contacts } from './contacts.ts';
import type { Talk } from './talk.ts';

interface AcknowledgementsDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly contacts: Contacts;
  readonly talk: Talk;
  /** Whether our archive was read since the connection is there: it tells what another device of ours has answered. */
  readonly isMailRead: () => boolean;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly log: Logger;
}

/** More than these that wait for the archive to be read are not answered. */
const MAX_PENDING = 1000;
/** So many lines, newest first, are shown anew when one mark says something of all. */
const MAX_SHOWN = 100;

/** What came and what was read: told to those who may know it, and heard from them (XEP-0184, XEP-0333). */
export class Acknowledgements implements Disposable {
  readonly #deps: AcknowledgementsDeps;
  readonly #stops: (() => void)[];
  /** Lines whose authors wait to hear that they came. */
  readonly #pending = new Map<string, { readonly peer: BareJid; readonly id: string }>();

  constructor(deps: AcknowledgementsDeps) {
    this.#deps = deps;
    const { talk } = deps;
    this.#stops = [
      talk.onHeard.on(({ peer, id }) => this.#came(peer, id)),
      talk.onRead.on((peer) => this.#spawn(() => this.#tellRead(peer))),
    ];
  }

  /** A word about lines that came from them, or from another device of ours. */
  take(note: TalkNote): void {
    if (note.kind !== 'received' && note.kind !== 'displayed') return;
    const { peer, id, kind } = note;
    if (!note.isOurs) this.#heard(peer, id, kind);
    else if (kind === 'received') this.#pending.delete(keyOf(peer, id));
    else this.#readElsewhere(peer, id);
  }

  /** The connection is there and the archive was read: tells what could not be told. */
  poke(): void {
    const { storage } = this.#deps;
    this.#flush();
    const untold = storage.contacts.list().filter((row) => row.toldPosition < row.readPosition);
    for (const { jid } of untold) this.#spawn(() => this.#tellRead(jid));
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #came(peer: BareJid, id: string): void {
    if (!this.#deps.contacts.mayKnow(peer) || this.#pending.size >= MAX_PENDING) return;
    this.#pending.set(keyOf(peer, id), { peer, id });
    this.#flush();
  }

  #flush(): void {
    const { client, isMailRead } = this.#deps;
    if (this.#pending.size === 0 || client.state.kind !== 'online' || !isMailRead()) return;
    const due = [...this.#pending.values()];
    this.#pending.clear();
    this.#spawn(async () => {
      for (const { peer, id } of due) await client.send(wordTo(client, peer, receipt(id)));
    });
  }

  async #tellRead(peer: BareJid): Promise<void> {
    const { client, storage, contacts } = this.#deps;
    const row = storage.contacts.get(peer);
    if (row === undefined || row.toldPosition >= row.readPosition) return;
    const [mayKnow, hasOthers] = [contacts.mayKnow(peer), this.#hasOtherDevices()];
    if (client.state.kind !== 'online' || (!mayKnow && !hasOthers)) return;
    const { toldPosition, readPosition } = row;
    const { directMessages } = storage;
    const asked = mayKnow ? directMessages.newestMarkable(peer, toldPosition, readPosition) : undefined;
    const latest = hasOthers ? directMessages.newestNamed(peer, toldPosition, readPosition) : undefined;
    storage.contacts.update(peer, { toldPosition: readPosition });
    try {
      await this.#say(peer, displayed, asked);
      // Of what they are told our other devices get a copy.
      if (latest?.id !== asked?.id) await this.#say(client.jid, (id) => ownRead(peer, id), latest);
    } catch (error) {
      storage.contacts.update(peer, { toldPosition });
      throw error;
    }
  }

  async #say(to: BareJid, word: (id: string) => Element, line: DirectMessageRow | undefined): Promise<void> {
    const { client } = this.#deps;
    const id = line?.stanzaId ?? null;
    if (id !== null) await client.send(wordTo(client, to, word(id)));
  }

  #hasOtherDevices(): boolean {
    return this.#deps.storage.ownDevices.list().some(({ state }) => state !== 'here' && state !== 'ended');
  }

  /** Another device of ours told them, or us, that we read it: so we have read it. */
  #readElsewhere(peer: BareJid, id: string): void {
    const { storage, contacts } = this.#deps;
    const line = storage.directMessages.ofStanza(peer, id, 'theirs');
    const row = storage.contacts.get(peer);
    if (line === undefined || row === undefined) return;
    if (line.position <= Math.min(row.readPosition, row.toldPosition)) return;
    storage.contacts.update(peer, {
      readPosition: Math.max(row.readPosition, line.position),
      toldPosition: Math.max(row.toldPosition, line.position),
    });
    contacts.onChange.emit(peer);
  }

  #heard(peer: BareJid, id: string, kind: 'received' | 'displayed'): void {
    const { storage } = this.#deps;
    const line = storage.directMessages.ofStanza(peer, id, 'mine');
    if (line === undefined || storage.blocked.has(peer)) return;
    // What went out again since, and stands before it, nobody has seen by that.
    if (kind === 'displayed' && line.state === 'seen') return;
    const changed = storage.transaction(() => {
      const tells = storage.contacts.get(peer)?.tells === true;
      if (!tells) storage.contacts.update(peer, { tells: true });
      const before = storage.directMessages.unseen(peer, tells && kind === 'received' ? 0 : line.position);
      const reached = kind === 'displayed' ? before : [];
      for (const one of reached) storage.directMessages.update(one.id, { state: 'seen' });
      // It may be told before the server says that it has taken the line, and after it has told that it could not.
      const isNews = line.state !== 'seen' && (kind === 'displayed' || line.state !== 'delivered');
      const state = kind === 'displayed' ? 'seen' : 'delivered';
      if (isNews) storage.directMessages.update(line.id, { state, failure: null });
      return [...(isNews ? [line.id] : []), ...before.map((one) => one.id)];
    });
    this.#show(peer, changed);
  }

  #show(peer: BareJid, ids: readonly EventId[]): void {
    for (const id of new Set(ids.slice(0, MAX_SHOWN))) this.#deps.talk.onChange.emit({ peer, id });
  }

  /** What is lost with the connection is made good by the next mark. */
  #spawn(task: () => Promise<void>): void {
    this.#deps.spawn('tell what came or was read', async () => {
      await task().catch((error: unknown) => this.#deps.log.debug('not told', { error }));
    });
  }
}

function keyOf(peer: BareJid, id: string): string {
  return `${peer}\0${id}`;
}

/** Kept in the archives, for the devices that are away. */
function wordTo(client: XmppPort, to: BareJid, word: Element): Element {
  return xml('message', { to, type: 'chat', id: client.newId() }, word, hint('store'));
}
