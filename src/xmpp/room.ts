// XEP-0045: Multi-User Chat, version 1.35.3
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { attr, type Element, xml } from './element.ts';
import { splitJid } from './jid.ts';
import { OccupantTable } from './occupant-table.ts';
import type { XmppPort, XmppState } from './port.ts';
import { Reflections } from './reflections.ts';
import { CutPause } from './cut-pause.ts';
import { EarlyHistory } from './early-history.ts';
import { enterRoom, type Entry, readEntryError } from './room-entry.ts';
import { unlessForgotten } from './room-doubt.ts';
import { isExpelled, isNewsOfEntry, refusalOf, refusalReason } from './room-refusal.ts';
import { readHistory } from './room-history.ts';
import { abandonRoom, setUpRoom } from './room-setup.ts';
import type { Occupant, RefusalReason, RoomMessage, RoomState } from './room-types.ts';
import { RETRY, RETRY_REFUSED, StayAway } from './stay-away.ts';
import {
  type Affiliate,
  type Affiliation,
  destroyRoom,
  fetchAllAffiliates,
  leavePresence,
  type MucPresence,
  readMucPresence,
  setAffiliation,
  STATUS,
} from './xep/0045-muc.ts';
import { readDelay } from './xep/0203-delay.ts';
import { directInvitation } from './xep/0249-direct-invitation.ts';
import { hint } from './xep/0334-hints.ts';
import { readStanzaId } from './xep/0359-stanza-ids.ts';
import { selfPing } from './xep/0410-self-ping.ts';

const SILENCE_MS = 10 * 60_000;

interface RoomDeps {
  readonly client: XmppPort;
  readonly address: BareJid;
  readonly nick: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What else our presence in the room says, such as our abilities. */
  readonly extras?: () => readonly Element[];
  /** The last entry of its archive that was dealt with; undefined = nobody is going to read it. */
  readonly cursor?: () => string | null;
  /** Whether a room that is gone is ours to make again; anybody else's would be a trap for its members. */
  readonly mayRebuild?: () => boolean;
}

/** One room that we are in, or want to be in: it is entered again by itself, whatever took us out of it. */
export class Room implements AsyncDisposable {
  readonly address: BareJid;
  readonly onState: Emitter<RoomState>;
  readonly onMessage: Emitter<RoomMessage>;
  readonly onOccupants: Emitter<readonly Occupant[]>;
  /** Somebody else lost the right to be here. */
  readonly onExpelled: Emitter<BareJid>;
  readonly #deps: RoomDeps;
  readonly #client: XmppPort;
  readonly #log: Logger;
  readonly #scope: Scope;
  readonly #occupants = new OccupantTable();
  readonly #reflections: Reflections;
  readonly #early: EarlyHistory;
  readonly #stopListening: readonly (() => void)[];
  #nick: string;
  #state: RoomState = { kind: 'outside' };
  #wanted = false;
  #entry: Entry | undefined;
  #isReturning = false;
  readonly #pause: CutPause;
  /** Inside when the connection was lost: a resumed one finds us there again. */
  #wasInside = false;
  readonly #stayAway = new StayAway();
  #enteredMs = 0;
  #heardMs: number;

  constructor(deps: RoomDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.address = deps.address;
    this.#nick = deps.nick;
    this.#log = deps.log.child('room');
    this.#scope = new Scope({ log: this.#log });
    this.#reflections = new Reflections({ clock: deps.clock, line: deps.client, ask: (end) => this.#checkInside(end) });
    this.#early = new EarlyHistory((...query) => readHistory(deps, ...query));
    this.#pause = new CutPause(deps.clock);
    this.#heardMs = deps.clock.monotonic();
    const onError = (error: unknown): void => this.#log.error('a listener failed', { error });
    this.onState = new Emitter(onError);
    this.onMessage = new Emitter(onError);
    this.onOccupants = new Emitter(onError);
    this.onExpelled = new Emitter(onError);
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
      await this.#settleIn();
    });
  }

  /** Enters. Rejects with `not-a-member`, `not-found`, or what the room answers. */
  async join(signal: AbortSignal): Promise<void> {
    await this.#wanting(() => this.#enterExisting(signal));
  }

  /** Enters as soon as it can and stays, however often the room refuses or cannot be reached. */
  keep(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#spawnReturn();
  }

  async leave(): Promise<void> {
    this.#wanted = false;
    this.#occupants.clear();
    this.#setState({ kind: 'outside' });
    if (this.#client.state.kind === 'online') await this.#client.send(leavePresence(this.address, this.#nick));
  }

  async destroy(next: BareJid | null, signal: AbortSignal): Promise<void> {
    await destroyRoom(this.#client, this.address, signal, next ?? undefined);
    this.#wanted = false;
    this.#occupants.clear();
    this.#setState({ kind: 'outside' });
  }

  /** Everybody who may be here: owners, admins and members. */
  affiliations(signal: AbortSignal): Promise<readonly Affiliate[]> {
    return fetchAllAffiliates(this.#client, this.address, signal);
  }

  async setAffiliation(jid: BareJid, affiliation: Affiliation, signal: AbortSignal): Promise<void> {
    await setAffiliation(this.#client, this.address, { jid, affiliation }, signal);
  }

  /** Tells an account that it may come in: now, when it waits at the door, or whenever it comes online. */
  async invite(jid: BareJid, keeping: 'store' | 'no-store' = 'no-store'): Promise<void> {
    await this.#client.send(xml('message', { to: jid }, directInvitation(this.address), hint(keeping)));
  }

  /** Sends a message with an id and resolves with the room's id for it when it comes back. Rejects with `disconnected` while outside. */
  async send(stanza: Element, signal?: AbortSignal): Promise<string | null> {
    this.#assertInside();
    const send = (): Promise<void> => this.#client.send(stanza);
    const expected = this.#reflections.expect(stanza, send, signal);
    const doubt = { isInside: () => this.#checkInside(signal), enterAgain: () => this.#comeBack() };
    return await unlessForgotten(expected, doubt);
  }

  /** Sends without waiting for the room, for what is worthless later. */
  async sendNow(stanza: Element): Promise<void> {
    this.#assertInside();
    this.#reflections.note(stanza);
    await this.#client.send(stanza);
  }

  /** The archive after the message with this id, oldest first; all of it for null, or when the archive has forgotten the id. */
  history(afterStanzaId: string | null, signal: AbortSignal): AsyncIterable<RoomMessage> {
    return this.#early.take(afterStanzaId, signal);
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
    // §10.1: entering a room that is gone makes a new one, in which nothing is to be said yet.
    if (created && this.#deps.mayRebuild?.() !== true) {
      await abandonRoom(this.#client, this.address, signal);
      throw new AppError('not-found', 'the room does not exist any more');
    }
    if (created) await setUpRoom(this.#client, this.address, signal);
    await this.#settleIn();
  }

  async #settleIn(): Promise<void> {
    if (this.#wanted) this.#setState({ kind: 'inside' });
    else await this.leave();
  }

  /** True when the room did not exist before. */
  async #enter(signal: AbortSignal): Promise<boolean> {
    if (this.#entry !== undefined) throw new AppError('conflict', 'already on the way into the room');
    const { clock, nick, extras, cursor } = this.#deps;
    if (this.#state.kind !== 'refused') this.#setState({ kind: 'entering' });
    this.#wasInside = false;
    this.#occupants.clear();
    const onAsked = (): void => void (cursor && this.#early.begin(cursor(), this.#scope.signal));
    const entry: Entry = { address: this.address, nick, extras: extras?.() ?? [], settle: undefined, onAsked };
    this.#entry = entry;
    try {
      const { nick: own, created } = await enterRoom({ client: this.#client, clock }, entry, signal);
      this.#nick = own;
      this.#heardMs = clock.monotonic();
      this.#enteredMs = this.#heardMs;
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
      this.#wasInside ||= this.#state.kind === 'inside';
      if (this.#state.kind !== 'outside') this.#setState({ kind: 'entering' });
    } else if (state.resumed && this.#wasInside) {
      this.#wasInside = false;
      this.#setState({ kind: 'inside' });
      this.#scope.spawn('check the room', async (signal) => void (await this.#checkInside(signal)));
    } else {
      this.#reflections.failAll(new AppError('disconnected', 'the connection was made anew'));
      this.#spawnReturn();
    }
  }

  #spawnReturn(waitMs = 0): void {
    this.#scope.spawn('return to the room', (signal) => this.#return(waitMs, signal));
  }

  /** Whoever calls while a return is under way ends its pause. */
  async #return(waitMs: number, signal: AbortSignal): Promise<void> {
    this.#pause.cut();
    if (this.#isReturning) return;
    this.#isReturning = true;
    try {
      if (waitMs > 0) await this.#pause.wait(waitMs, signal);
      for (let attempt = 0; this.#wanted && this.#client.state.kind === 'online'; attempt += 1) {
        if (await this.#hasReturned(signal)) return;
        const limits = this.#state.kind === 'refused' ? RETRY_REFUSED : RETRY;
        await this.#pause.wait(
          backoffDelay(attempt, limits, () => this.#client.jitter()),
          signal,
        );
      }
    } finally {
      this.#isReturning = false;
    }
  }

  async #hasReturned(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#enterExisting(signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const reason = refusalOf(error);
      if (reason !== undefined && this.#wanted) this.#refuse(reason);
      else this.#log.warn('returning to the room failed', { error });
      return false;
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

  async #checkInside(signal?: AbortSignal): Promise<boolean> {
    const presence = await selfPing(this.#client, `${this.address}/${this.#nick}`, signal);
    if (presence === 'inside') this.#heardMs = this.#deps.clock.monotonic();
    if (presence === 'outside' && this.#wanted) this.#spawnReturn();
    return presence === 'inside';
  }

  #assertInside(): void {
    if (this.#state.kind !== 'inside' || this.#client.state.kind !== 'online') {
      throw new AppError('disconnected', 'not in the room');
    }
  }

  #receive(stanza: Element): void {
    const from = splitJid(attr(stanza, 'from') ?? '');
    if (this.#state.kind === 'refused' && isNewsOfEntry(stanza, this.address)) this.#spawnReturn();
    if (from.bare !== this.address) return;
    // Others may answer in the room's name that it is not there.
    if (attr(stanza, 'type') !== 'error') this.#heardMs = this.#deps.clock.monotonic();
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
    else if (isExpelled(presence)) this.onExpelled.emit(this.address);
    this.onOccupants.emit(this.#occupants.all);
  }

  #receiveOwnPresence(presence: MucPresence): void {
    const codes = new Set(presence.statusCodes);
    if (presence.isAvailable) {
      const created = codes.has(STATUS.created);
      this.#early.entered();
      if (this.#entry === undefined) this.#nick = presence.nick;
      this.#entry?.settle?.({ kind: 'entered', nick: presence.nick, created });
      return;
    }
    if (codes.has(STATUS.newNick)) {
      this.#nick = presence.newNick ?? this.#nick;
      return;
    }
    this.#wasInside = false;
    if (!this.#wanted || this.#state.kind === 'refused') return;
    const reason = refusalReason(presence);
    if (reason !== undefined) this.#refuse(reason);
    this.#comeBack(reason, codes);
  }

  /** Out of a room that seems not to be there we are as after a kick: it may say so again. */
  #comeBack(reason?: RefusalReason, codes: ReadonlySet<number> = new Set([STATUS.kicked])): void {
    if (reason === undefined) this.#setState({ kind: 'entering' });
    const stayedMs = this.#deps.clock.monotonic() - this.#enteredMs;
    this.#spawnReturn(this.#stayAway.waitMs(reason, codes, stayedMs, () => this.#client.jitter()));
  }

  #refuse(reason: RefusalReason): void {
    this.#occupants.clear();
    this.#setState({ kind: 'refused', reason });
    this.onOccupants.emit(this.#occupants.all);
  }

  #setState(state: RoomState): void {
    if (state.kind === this.#state.kind) return;
    this.#state = state;
    this.onState.emit(state);
  }
}
