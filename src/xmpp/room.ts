// XEP-0045: Multi-User Chat, version 1.35.3
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { attr, type Element } from './element.ts';
import { splitJid } from './jid.ts';
import { OccupantTable } from './occupant-table.ts';
import type { XmppPort, XmppState } from './port.ts';
import { Reflections } from './reflections.ts';
import { enterRoom, type Entry, readEntryError } from './room-entry.ts';
import { readHistory } from './room-history.ts';
import { setUpRoom } from './room-setup.ts';
import type { Occupant, RemovedReason, RoomMessage, RoomState } from './room-types.ts';
import {
  type Affiliate,
  type Affiliation,
  destroyRoom,
  fetchAffiliates,
  kickOccupant,
  leavePresence,
  type MucPresence,
  readMucPresence,
  setAffiliation,
  STATUS,
} from './xep/0045-muc.ts';
import { readDelay } from './xep/0203-delay.ts';
import { readStanzaId } from './xep/0359-stanza-ids.ts';
import { selfPing } from './xep/0410-self-ping.ts';

const SILENCE_MS = 10 * 60_000;
const RETRY = { baseMs: 2000, maxMs: 120_000 };

interface RoomDeps {
  readonly client: XmppPort;
  readonly address: BareJid;
  readonly nick: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What else our presence in the room says, such as our abilities. */
  readonly extras?: () => readonly Element[];
}

/** One room that we are in, or want to be in: it comes back by itself when the connection does. */
export class Room implements AsyncDisposable {
  readonly address: BareJid;
  readonly onState: Emitter<RoomState>;
  readonly onMessage: Emitter<RoomMessage>;
  readonly onOccupants: Emitter<readonly Occupant[]>;
  readonly onRemoved: Emitter<RemovedReason>;
  readonly #deps: RoomDeps;
  readonly #client: XmppPort;
  readonly #log: Logger;
  readonly #scope: Scope;
  readonly #occupants = new OccupantTable();
  readonly #reflections: Reflections;
  readonly #stopListening: readonly (() => void)[];
  #nick: string;
  #state: RoomState = { kind: 'outside' };
  #wanted = false;
  #entry: Entry | undefined;
  #isReturning = false;
  #heardMs: number;

  constructor(deps: RoomDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.address = deps.address;
    this.#nick = deps.nick;
    this.#log = deps.log.child('room');
    this.#scope = new Scope({ log: this.#log });
    this.#reflections = new Reflections({ clock: deps.clock });
    this.#heardMs = deps.clock.monotonic();
    const onError = (error: unknown): void => this.#log.error('a listener failed', { error });
    this.onState = new Emitter(onError);
    this.onMessage = new Emitter(onError);
    this.onOccupants = new Emitter(onError);
    this.onRemoved = new Emitter(onError);
    this.#stopListening = [
      deps.client.onStanza.on((stanza) => this.#receive(stanza)),
      deps.client.onState.on((state) => this.#connectionChanged(state)),
    ];
    this.#scope.spawn('watch the room', (signal) => this.#watchSilence(signal));
  }

  get state(): RoomState {
    return this.#state;
  }

  get nick(): string {
    return this.#nick;
  }

  get occupants(): readonly Occupant[] {
    return this.#occupants.all;
  }

  /** Creates the room: members only, real addresses visible to its members, persistent, hidden. Rejects with `conflict` when it exists. */
  async create(signal: AbortSignal): Promise<void> {
    await this.#wanting(async () => {
      const created = await this.#enter(signal);
      if (!created) {
        await this.leave();
        throw new AppError('conflict', 'the room exists already');
      }
      await setUpRoom(this.#client, this.address, signal);
    });
  }

  /** Enters. Rejects with `not-a-member`, `not-found`, or what the room answers. */
  async join(signal: AbortSignal): Promise<void> {
    await this.#wanting(() => this.#enterExisting(signal));
  }

  async leave(): Promise<void> {
    this.#wanted = false;
    this.#occupants.clear();
    this.#setState({ kind: 'outside' });
    if (this.#client.state.kind === 'online') await this.#client.send(leavePresence(this.address, this.#nick));
  }

  async destroy(signal: AbortSignal): Promise<void> {
    this.#wanted = false;
    await destroyRoom(this.#client, this.address, signal);
    this.#occupants.clear();
    this.#setState({ kind: 'outside' });
  }

  /** Everybody who may be here: owners, admins and members. */
  async affiliations(signal: AbortSignal): Promise<readonly Affiliate[]> {
    const kinds: readonly Affiliation[] = ['owner', 'admin', 'member'];
    const lists = await Promise.all(kinds.map((kind) => fetchAffiliates(this.#client, this.address, kind, signal)));
    return lists.flat();
  }

  async setAffiliation(jid: BareJid, affiliation: Affiliation, signal: AbortSignal): Promise<void> {
    await setAffiliation(this.#client, this.address, { jid, affiliation }, signal);
  }

  async kick(nick: string, signal: AbortSignal): Promise<void> {
    await kickOccupant(this.#client, this.address, nick, signal);
  }

  /** Sends a message with an id and resolves with the room's id for it when it comes back. Rejects with `disconnected` while outside. */
  async send(stanza: Element, signal?: AbortSignal): Promise<string | null> {
    this.#assertInside();
    return await this.#reflections.expect(stanza, () => this.#client.send(stanza), signal);
  }

  /** Sends without waiting for the room, for what is worthless later. */
  async sendNow(stanza: Element): Promise<void> {
    this.#assertInside();
    this.#reflections.note(stanza);
    await this.#client.send(stanza);
  }

  /** The archive after the message with this id, oldest first; all of it for null, or when the archive has forgotten the id. */
  history(afterStanzaId: string | null, signal: AbortSignal): AsyncIterable<RoomMessage> {
    return readHistory({ client: this.#client, address: this.address }, afterStanzaId, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stopListening) stop();
    if (this.#state.kind === 'inside') {
      // A connection that is gone already has taken us out of the room.
      await this.leave().catch((error: unknown) => this.#log.debug('leaving failed', { error }));
    }
    await this.#scope[Symbol.asyncDispose]();
  }

  /** A failure of the first entry ends the wish to be inside; a failure to return does not. */
  async #wanting(enter: () => Promise<void>): Promise<void> {
    this.#wanted = true;
    try {
      await enter();
    } catch (error) {
      this.#wanted = false;
      this.#setState({ kind: 'outside' });
      throw error;
    }
  }

  async #enterExisting(signal: AbortSignal): Promise<void> {
    const created = await this.#enter(signal);
    if (!created) return;
    // §10.1: entering a room that is gone makes a new one, which nobody else will look for.
    await destroyRoom(this.#client, this.address, signal);
    throw new AppError('not-found', 'the room does not exist any more');
  }

  /** True when the room did not exist before. */
  async #enter(signal: AbortSignal): Promise<boolean> {
    if (this.#entry !== undefined) throw new AppError('conflict', 'already on the way into the room');
    const { clock, nick, extras } = this.#deps;
    this.#setState({ kind: 'entering' });
    this.#occupants.clear();
    const entry: Entry = { address: this.address, nick, extras: extras?.() ?? [], settle: undefined };
    this.#entry = entry;
    try {
      const { nick: own, created } = await enterRoom({ client: this.#client, clock }, entry, signal);
      this.#nick = own;
      this.#heardMs = clock.monotonic();
      if (this.#wanted) this.#setState({ kind: 'inside' });
      else await this.leave();
      return created;
    } finally {
      this.#entry = undefined;
    }
  }

  #connectionChanged(state: XmppState): void {
    if (!this.#wanted) return;
    if (state.kind !== 'online') {
      const error = new AppError('disconnected', 'the connection is lost');
      this.#entry?.settle?.({ kind: 'refused', error });
      if (this.#state.kind === 'inside') this.#setState({ kind: 'entering' });
    } else if (state.resumed && this.#state.kind === 'entering' && this.#entry === undefined) {
      this.#setState({ kind: 'inside' });
      this.#scope.spawn('check the room', (signal) => this.#checkInside(signal));
    } else {
      this.#reflections.failAll(new AppError('disconnected', 'the connection was made anew'));
      this.#scope.spawn('return to the room', (signal) => this.#return(signal));
    }
  }

  async #return(signal: AbortSignal): Promise<void> {
    if (this.#isReturning) return;
    this.#isReturning = true;
    try {
      for (let attempt = 0; this.#wanted && this.#client.state.kind === 'online'; attempt += 1) {
        if (await this.#hasReturned(signal)) return;
        await this.#deps.clock.sleep(
          backoffDelay(attempt, RETRY, () => this.#client.jitter()),
          signal,
        );
      }
    } finally {
      this.#isReturning = false;
    }
  }

  /** False when it is worth trying again. */
  async #hasReturned(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#enterExisting(signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const code = errorCode(error);
      if (code !== 'not-a-member' && code !== 'not-found') {
        this.#log.warn('returning to the room failed', { error });
        return false;
      }
      if (this.#wanted) this.#removed(code === 'not-a-member' ? 'not-a-member' : 'destroyed');
      return true;
    }
  }

  async #watchSilence(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      await clock.sleep(SILENCE_MS / 2, signal);
      if (this.#state.kind === 'inside' && clock.monotonic() - this.#heardMs >= SILENCE_MS)
        await this.#checkInside(signal);
    }
  }

  async #checkInside(signal: AbortSignal): Promise<void> {
    const presence = await selfPing(this.#client, `${this.address}/${this.#nick}`, signal);
    if (presence === 'inside') this.#heardMs = this.#deps.clock.monotonic();
    if (presence === 'outside' && this.#wanted) await this.#return(signal);
  }

  #assertInside(): void {
    if (this.#state.kind !== 'inside' || this.#client.state.kind !== 'online') {
      throw new AppError('disconnected', 'not in the room');
    }
  }

  #receive(stanza: Element): void {
    const from = splitJid(attr(stanza, 'from') ?? '');
    if (from.bare !== this.address) return;
    this.#heardMs = this.#deps.clock.monotonic();
    if (stanza.name === 'presence') this.#receivePresence(stanza);
    else if (attr(stanza, 'type') === 'error') this.#reflections.refuse(stanza);
    else if (attr(stanza, 'type') === 'groupchat' && from.resource !== undefined)
      this.#receiveMessage(stanza, from.resource);
  }

  #receiveMessage(stanza: Element, nick: string): void {
    // What the room repeats from before we came in, its archive tells with the author's address.
    if (readDelay(stanza, this.address) !== undefined) return;
    const stanzaId = readStanzaId(stanza, this.address) ?? null;
    const isReflection = nick === this.#nick && this.#reflections.settle(stanza, stanzaId);
    const from = this.#occupants.jidOf(nick);
    this.onMessage.emit({ stanza, from, nick, stanzaId, archived: false, isReflection, delayMs: null });
  }

  #receivePresence(stanza: Element): void {
    const error = readEntryError(stanza);
    if (error !== undefined) {
      this.#entry?.settle?.({ kind: 'refused', error });
      return;
    }
    const presence = readMucPresence(stanza, this.address);
    if (presence === undefined) return;
    this.#occupants.update(presence, stanza);
    if (presence.statusCodes.includes(STATUS.self)) this.#receiveOwnPresence(presence);
    this.onOccupants.emit(this.#occupants.all);
  }

  #receiveOwnPresence(presence: MucPresence): void {
    const codes = new Set(presence.statusCodes);
    if (presence.isAvailable) {
      const created = codes.has(STATUS.created);
      if (this.#entry === undefined) this.#nick = presence.nick;
      this.#entry?.settle?.({ kind: 'entered', nick: presence.nick, created });
      return;
    }
    if (codes.has(STATUS.newNick)) {
      this.#nick = presence.newNick ?? this.#nick;
      return;
    }
    if (!this.#wanted) return;
    const reason = removalReason(presence, codes);
    if (reason !== undefined) this.#removed(reason);
    else {
      this.#setState({ kind: 'entering' });
      this.#scope.spawn('return to the room', (signal) => this.#return(signal));
    }
  }

  #removed(reason: RemovedReason): void {
    this.#wanted = false;
    this.#occupants.clear();
    this.#setState({ kind: 'removed', reason });
    this.onRemoved.emit(reason);
  }

  #setState(state: RoomState): void {
    if (state.kind === this.#state.kind) return;
    this.#state = state;
    this.onState.emit(state);
  }
}

/** §15.6.2; undefined when the room lost us without meaning it. */
function removalReason(presence: MucPresence, codes: ReadonlySet<number>): RemovedReason | undefined {
  if (presence.isDestroyed) return 'destroyed';
  if (codes.has(STATUS.banned)) return 'banned';
  if (codes.has(STATUS.affiliationLost) || codes.has(STATUS.membersOnly)) return 'not-a-member';
  if (codes.has(STATUS.kicked) && !codes.has(STATUS.fault)) return 'kicked';
  return undefined;
}
