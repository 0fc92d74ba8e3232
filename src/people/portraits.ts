import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import { RecentMap } from '../base/recent-map.ts';
import { Throttle } from '../base/throttle.ts';
import type { Portrait } from '../contract/media.ts';
import type { Storage } from '../storage/storage.ts';
import type { Element } from '../xmpp/element.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { fetchVCardPhoto } from '../xmpp/xep/0054-vcard.ts';
import { type AvatarNews, fetchAvatar, readAvatarNews } from '../xmpp/xep/0084-avatar.ts';
import { readVCardNews } from '../xmpp/xep/0153-vcard-avatar.ts';
import { readNickNews } from '../xmpp/xep/0172-nickname.ts';
import type { Contacts } from './contacts.ts';

/** Draws small pictures out of bytes that anybody may have made; null when they are no picture. */
export interface PortraitTools {
  portrait(bytes: Uint8Array, signal: AbortSignal): Promise<Portrait | null>;
}

interface PortraitsDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly contacts: Pick<Contacts, 'get' | 'list' | 'onChange'>;
  readonly tools: PortraitTools;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Whoever changes their picture all the time is followed with every so many milliseconds. */
const PACE = { burst: 2, intervalMs: 600_000 };
/** Each new name is shown in all spheres and beside all lines anew. */
const NAME_PACE = { burst: 5, intervalMs: 60_000 };
/** On a slow line three quarters of the time stay for what people say. */
const REST = { times: 3, fromMs: 1_000, maxMs: 30_000 };
const MAX_UNUSABLE = 500;

/**
 * What people on our list look like and call themselves, as their accounts tell it. Of nobody else is anything taken or
 * fetched. A picture is kept as it was drawn anew here, never as it came.
 */
export class Portraits implements Disposable {
  /** Somebody, who may be ourselves, has another picture or name. */
  readonly onChange: Emitter<BareJid>;
  readonly #deps: PortraitsDeps;
  readonly #queue = new SerialQueue();
  readonly #pace: Throttle;
  readonly #namePace: Throttle;
  /** Pictures that could not be had, by whose and which, until the program ends. */
  readonly #unusable = new RecentMap<string, true>(MAX_UNUSABLE);
  /** What is to be fetched when all that was missed is here, by whose; null = it is. */
  #waiting: Map<BareJid, Wanted> | null = new Map();
  /** Whose picture went when they were blocked. */
  readonly #hidden = new Set<BareJid>();
  readonly #stops: readonly (() => void)[];

  constructor(deps: PortraitsDeps) {
    this.#deps = deps;
    this.onChange = new Emitter((error) => deps.log.error('portrait listener failed', { error }));
    this.#pace = new Throttle({ ...PACE, ...deps });
    this.#namePace = new Throttle({ ...NAME_PACE, ...deps });
    this.#stops = [
      deps.client.onStanza.on((stanza) => this.#take(stanza)),
      deps.client.onState.on((state) => {
        if (state.kind !== 'online') return;
        // In a session that goes on what was told before is not told again.
        if (state.resumed) this.#fetchMissing();
        else this.#waiting ??= new Map();
      }),
      deps.contacts.onChange.on((jid) => this.#listChanged(jid)),
    ];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  /** All that was missed is here: on a slow line one picture takes as long as that. */
  begin(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const wanted of waiting?.values() ?? []) this.#want(wanted);
  }

  #take(stanza: Element): void {
    if (stanza.name === 'presence') {
      const photo = readVCardNews(stanza);
      if (photo !== undefined && this.#counts(photo.jid)) this.#toldByVCard(photo);
      return;
    }
    const avatar = readAvatarNews(stanza);
    const nick = readNickNews(stanza);
    if (avatar !== undefined && this.#counts(avatar.jid)) this.#told(avatar);
    if (nick === undefined || !this.#counts(nick.jid)) return;
    void this.#namePace.run(nick.jid, () => Promise.resolve(this.#called(nick.jid, nick.nick)));
  }

  #counts(jid: BareJid): boolean {
    const { client, contacts, storage } = this.#deps;
    if (jid === client.jid) return true;
    return contacts.get(jid)?.standing === 'contact' && !storage.blocked.has(jid);
  }

  #called(jid: BareJid, nick: string | null): void {
    const { client, storage, contacts } = this.#deps;
    // They may have been blocked while it waited.
    if (!this.#counts(jid)) return;
    const before = jid === client.jid ? storage.account.nick : contacts.get(jid)?.nick;
    if (before === nick) return;
    if (jid === client.jid) storage.account.setNick(nick);
    else {
      storage.contacts.update(jid, { nick });
      contacts.onChange.emit(jid);
    }
    this.onChange.emit(jid);
  }

  #told({ jid, id }: AvatarNews): void {
    const { storage, client } = this.#deps;
    if (jid !== client.jid) storage.contacts.update(jid, { avatar: id });
    if (id === null) this.#remove(jid);
    else this.#want({ jid, id, way: 'pep' });
  }

  /** Their server may not turn one kind into the other (XEP-0398): what the account says of itself comes first. */
  #toldByVCard({ jid, id }: AvatarNews): void {
    const { client, contacts } = this.#deps;
    if (jid === client.jid || contacts.get(jid)?.avatar !== null) return;
    if (id === null) this.#remove(jid);
    else this.#want({ jid, id, way: 'vcard' });
  }

  #remove(jid: BareJid): void {
    if (this.#deps.storage.portraits.remove(jid)) this.onChange.emit(jid);
  }

  #fetchMissing(): void {
    for (const { jid, avatar } of this.#deps.contacts.list()) {
      if (avatar !== null && this.#counts(jid)) this.#want({ jid, id: avatar, way: 'pep' });
    }
  }

  #want(wanted: Wanted): void {
    const { storage, spawn } = this.#deps;
    const { jid, id } = wanted;
    if (storage.portraits.idOf(jid) === id || this.#unusable.has(`${jid} ${id}`)) return;
    if (this.#waiting !== null) return void this.#waiting.set(jid, wanted);
    spawn('fetch a picture', (signal) =>
      this.#pace.run(jid, () => this.#queue.run(() => this.#fetchAtEase(wanted, signal))),
    );
  }

  async #fetchAtEase(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const sinceMs = clock.monotonic();
    await this.#fetch(wanted, signal);
    const tookMs = clock.monotonic() - sinceMs;
    if (tookMs >= REST.fromMs) await clock.sleep(Math.min(REST.times * tookMs, REST.maxMs), signal);
  }

  async #fetch({ jid, id, way }: Wanted, signal: AbortSignal): Promise<void> {
    const { client, storage, tools, log } = this.#deps;
    const isWanted = (): boolean => this.#counts(jid) && storage.portraits.idOf(jid) !== id;
    if (!isWanted()) return;
    try {
      const fetched = way === 'pep' ? fetchAvatar : fetchVCardPhoto;
      const bytes = await fetched(client, { jid, id }, signal);
      const portrait = bytes === undefined ? null : await tools.portrait(bytes, signal);
      if (portrait === null) this.#unusable.set(`${jid} ${id}`, true);
      // They may have been blocked, or have taken it away, while it came.
      else if (isWanted() && this.#isStillTheirs(jid, id)) {
        storage.portraits.put({ jid, id, image: portrait.image });
        this.onChange.emit(jid);
      }
    } catch (error) {
      signal.throwIfAborted();
      log.info('picture of a person not fetched', { error });
      // After the next connection it is asked for again.
      if (errorCode(error) !== 'disconnected') this.#unusable.set(`${jid} ${id}`, true);
    }
  }

  #isStillTheirs(jid: BareJid, id: string): boolean {
    const avatar = this.#deps.contacts.get(jid)?.avatar ?? null;
    return avatar === null || avatar === id;
  }

  /** Whoever is off the list or blocked has no picture here; whoever is let in again has theirs anew. */
  #listChanged(jid: BareJid): void {
    const { client, storage, contacts } = this.#deps;
    if (jid === client.jid) return;
    if (this.#counts(jid)) {
      const avatar = contacts.get(jid)?.avatar ?? null;
      if (this.#hidden.delete(jid) && avatar !== null) this.#want({ jid, id: avatar, way: 'pep' });
    } else if (storage.portraits.idOf(jid) !== undefined) {
      if (storage.blocked.has(jid)) this.#hidden.add(jid);
      this.#remove(jid);
    }
  }
}

interface Wanted {
  readonly jid: BareJid;
  readonly id: string;
  readonly way: 'pep' | 'vcard';
}
