import { backoffDelay } from '../base/backoff.ts';
import { Breather } from '../base/breather.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { Element } from '../xmpp/element.ts';
import { bareJidOf } from '../xmpp/jid.ts';
import type { Occupant, RoomMessage } from '../xmpp/room-types.ts';
import type { Affiliate } from '../xmpp/xep/0045-muc.ts';
import type { IncomingEphemeral, IncomingMessage } from './incoming-message.ts';
import { keepRoom, type Kept } from './kept-room.ts';
import type { RoomRight, RoomService } from './members.ts';
import type { RoomPort } from './room-port.ts';
import { readRoomEphemeral, readRoomMessage } from './read-stanza.ts';

export interface RoomsDeps {
  readonly openRoom: (address: BareJid) => RoomPort;
  /** Domain of the account's room service; null before the first connection. */
  readonly service: () => string | null;
  readonly receive: (message: IncomingMessage, signal: AbortSignal) => Promise<void>;
  readonly receiveEphemeral: (message: IncomingEphemeral) => Promise<void>;
  /** Archive id of the last message dealt with. A note may reach the disk later, but never before what it is about. */
  readonly cursor: { get(room: BareJid): string | null; set(room: BareJid, id: string): void };
  /** Waits until everything that was received is on the disk. */
  readonly settle: () => void;
  /** How often something that was received was lost again, before it was on the disk. */
  readonly lost: () => number;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const RETRY = { baseMs: 3_000, maxMs: 120_000 };
/** Messages of the archive between two notes of the place read to; each waits for a disk that others use as well. */
const NOTED_EVERY = 1_000;
/** Whoever leaves gaps in their events must not have us read an archive of years. */
const MAX_READ_BACK = 2_000;

/** Somebody came into a room: by these accounts; null = we did. */
interface Arrival {
  readonly room: BareJid;
  readonly accounts: ReadonlySet<BareJid> | null;
}

/** The rooms of our spheres: kept joined, read from where we stopped, then live. */
export class Rooms implements RoomService, AsyncDisposable {
  /** Who is present, or whether we are, has changed. */
  readonly onPresence: Emitter<BareJid>;
  /** Somebody came who was not there, or we did: they do not know our addresses. */
  readonly onArrival: Emitter<Arrival>;
  /** Somebody else lost the right to be in the room. */
  readonly onExpelled: Emitter<BareJid>;
  /** Everything the archive holds has been read. */
  readonly onCaughtUp: Emitter<BareJid>;
  /** Those of which nothing is read at the moment. */
  readonly held = new Set<BareJid>();
  readonly #deps: RoomsDeps;
  readonly #kept = new Map<BareJid, Kept>();
  readonly #breather: Breather;

  constructor(deps: RoomsDeps) {
    this.#deps = deps;
    this.#breather = new Breather(deps);
    const onError = (error: unknown): void => deps.log.error('room listener failed', { error });
    this.onPresence = new Emitter(onError);
    this.onArrival = new Emitter(onError);
    this.onExpelled = new Emitter(onError);
    this.onCaughtUp = new Emitter(onError);
  }

  get domain(): string {
    const service = this.#deps.service();
    if (service === null) throw new AppError('disconnected', 'not connected to the server');
    return service;
  }

  async create(address: BareJid, signal: AbortSignal): Promise<void> {
    const kept = this.#open(address);
    try {
      await kept.room.create(signal);
    } catch (error) {
      await this.#forget(address);
      throw error;
    }
  }

  async join(address: BareJid, signal: AbortSignal): Promise<void> {
    const { room } = this.#open(address);
    if (room.state.kind === 'inside') return;
    try {
      await room.join(signal);
    } catch (error) {
      await this.#forget(address);
      throw error;
    }
  }

  /** What comes in the room waits until this is over: without its sphere nobody could take it in. */
  hold(address: BareJid): Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.held.add(address);
    void this.#enqueue(this.#open(address), () => promise);
    const release = (): void => {
      this.held.delete(address);
      resolve();
    };
    return { [Symbol.dispose]: release };
  }

  /** Stays in the room for as long as it is one of ours, however often it refuses or cannot be reached. */
  keepJoined(address: BareJid): void {
    this.#open(address).room.keep();
  }

  async leave(address: BareJid): Promise<void> {
    await this.#forget(address);
    this.onPresence.emit(address);
  }

  /** Removes a room of ours for good; `next`: where everybody finds us, null for one that nobody knows of. */
  async destroy(address: BareJid, next: BareJid | null, signal: AbortSignal): Promise<void> {
    await this.#open(address).room.destroy(next, signal);
  }

  async setAffiliation(address: BareJid, jid: BareJid, affiliation: RoomRight, signal: AbortSignal): Promise<void> {
    const kept = this.#kept.get(address);
    if (kept === undefined) throw new AppError('disconnected', 'not in the room');
    // XEP-0045 §9: asked of the service, which wants the right and no presence: on the way in it need not wait.
    await kept.room.setAffiliation(jid, affiliation, signal);
    const others = [...this.listed(address)].filter((other) => other !== jid);
    this.#list(address, affiliation === 'none' ? others : [...others, jid]);
  }

  async affiliations(address: BareJid, signal: AbortSignal): Promise<readonly Affiliate[]> {
    const found = await this.#inside(address).affiliations(signal);
    const everybody = found.map(({ jid }) => jid);
    this.#list(address, everybody);
    return found;
  }

  async invite(address: BareJid, jid: BareJid, keeping: 'store' | 'no-store' = 'no-store'): Promise<void> {
    await this.#inside(address).invite(jid, keeping);
  }

  /** Everybody the room lets in, as it was told when last asked. */
  listed(address: BareJid): ReadonlySet<BareJid> {
    return this.#kept.get(address)?.listed ?? new Set();
  }

  /** Whether the server keeps us out. */
  isRefused(address: BareJid): boolean {
    return this.#kept.get(address)?.room.state.kind === 'refused';
  }

  /** Whether the server says that there is no such room any more. */
  isGone(address: BareJid): boolean {
    const state = this.#kept.get(address)?.room.state;
    return state?.kind === 'refused' && state.reason === 'destroyed';
  }

  isInside(address: BareJid): boolean {
    return this.#kept.get(address)?.room.state.kind === 'inside';
  }

  occupants(address: BareJid): readonly Occupant[] {
    return this.#kept.get(address)?.room.occupants ?? [];
  }

  /** Accounts present in the room. */
  present(address: BareJid): ReadonlySet<string> {
    return this.#kept.get(address)?.present ?? new Set();
  }

  /** Whether everything the archive holds has been read. */
  isCaughtUp(address: BareJid): boolean {
    return this.#kept.get(address)?.isCaughtUp ?? false;
  }

  /** Whether the archive was read since we came in, or cannot be: what it holds of ours has been told. */
  isLookedThrough(address: BareJid): boolean {
    return this.#kept.get(address)?.isLookedThrough ?? false;
  }

  /** Something of ours may have come in without our hearing of it. */
  lookAgain(address: BareJid): void {
    const kept = this.#kept.get(address);
    if (kept === undefined) return;
    kept.isLookedThrough = false;
    this.#readAgain(address, kept);
  }

  /** Reads the archive once more from `after` on, for as long as `isWanted`. The place read to stays where it is. */
  async readBack(address: BareJid, after: string, isWanted: () => boolean): Promise<void> {
    const kept = this.#kept.get(address);
    if (kept === undefined || !kept.isCaughtUp) return;
    await this.#enqueue(kept, async () => {
      if (kept.room.state.kind !== 'inside') return;
      let count = 0;
      for await (const message of kept.room.history(after, this.#deps.signal)) {
        await this.#process(address, message);
        count += 1;
        if (count >= MAX_READ_BACK || !isWanted()) return;
      }
    });
  }

  /** What the archive holds after this entry, unread. */
  async *archive(address: BareJid, after: string | null): AsyncGenerator<RoomMessage, void, undefined> {
    yield* this.#inside(address).history(after, this.#deps.signal);
  }

  async send(address: BareJid, stanza: Element, signal: AbortSignal): Promise<string | null> {
    return this.#inside(address).send(stanza, signal);
  }

  async sendNow(address: BareJid, stanza: Element): Promise<void> {
    await this.#inside(address).sendNow(stanza);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const rooms = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.allSettled(rooms.map(({ room }) => room[Symbol.asyncDispose]()));
  }

  #inside(address: BareJid): RoomPort {
    const kept = this.#kept.get(address);
    if (kept === undefined || kept.room.state.kind !== 'inside') {
      throw new AppError('disconnected', 'not in the room');
    }
    return kept.room;
  }

  #open(address: BareJid): Kept {
    const known = this.#kept.get(address);
    if (known !== undefined) return known;
    const room = this.#deps.openRoom(address);
    const kept = keepRoom(room);
    this.#kept.set(address, kept);
    room.onMessage.on((message) => this.#take(address, kept, message));
    room.onOccupants.on(() => this.#occupantsChanged(address, kept));
    room.onExpelled.on(() => this.onExpelled.emit(address));
    room.onState.on((state) => {
      // What came while we were out stands before whatever comes from now on.
      kept.isCaughtUp = false;
      kept.isLookedThrough = false;
      if (state.kind === 'inside') {
        void this.#enqueue(kept, () => this.#catchUp(address, kept, 0));
        this.onArrival.emit({ room: address, accounts: null });
      }
      this.onPresence.emit(address);
    });
    return kept;
  }

  #list(address: BareJid, listed: readonly BareJid[]): void {
    const kept = this.#kept.get(address);
    if (kept === undefined) return;
    kept.listed = new Set(listed);
    this.onPresence.emit(address);
  }

  async #forget(address: BareJid): Promise<void> {
    const kept = this.#kept.get(address);
    this.#kept.delete(address);
    await kept?.room[Symbol.asyncDispose]();
  }

  #occupantsChanged(address: BareJid, kept: Kept): void {
    const before = kept.present;
    kept.present = new Set(kept.room.occupants.flatMap(({ fullJid, jid }) => fullJid ?? jid ?? []));
    const came = [...kept.present].filter((jid) => !before.has(jid));
    const accounts = new Set(came.flatMap((fullJid) => bareJidOf(fullJid) ?? []));
    if (came.length > 0) this.onArrival.emit({ room: address, accounts });
    this.onPresence.emit(address);
  }

  #take(address: BareJid, kept: Kept, message: RoomMessage): void {
    const ephemeral = readRoomEphemeral(address, message);
    if (ephemeral === undefined) void this.#enqueue(kept, () => this.#read(address, kept, message));
    else void this.#enqueue(kept, () => this.#deps.receiveEphemeral(ephemeral));
  }

  /** Failures are logged here: nobody waits for the queue. What comes in a burst waits for the disk once. */
  async #enqueue(kept: Kept, job: () => Promise<void>): Promise<void> {
    kept.waiting += 1;
    try {
      await kept.queue.run(async () => {
        try {
          await job();
        } finally {
          kept.waiting -= 1;
          if (kept.waiting === 0 && !this.#deps.signal.aborted) this.#deps.settle();
        }
      });
    } catch (error) {
      if (!this.#deps.signal.aborted) this.#deps.log.error('room message not processed', { error });
    }
  }

  /** Reads what came while we were away; until that has succeeded nothing later moves the cursor. */
  async #catchUp(address: BareJid, kept: Kept, attempt: number): Promise<void> {
    if (kept.room.state.kind !== 'inside') return;
    const { signal, log } = this.#deps;
    try {
      let last: RoomMessage | undefined;
      let count = 0;
      const lost = this.#deps.lost();
      for await (const message of kept.room.history(this.#deps.cursor.get(address), signal)) {
        await this.#process(address, message);
        last = message;
        count += 1;
        if (count % NOTED_EVERY !== 0) continue;
        this.#advance(address, message, lost);
        this.#deps.settle();
      }
      if (last !== undefined) this.#advance(address, last, lost);
      if (attempt === 0 && kept.isMissing) return this.#catchUpLater(address, kept, attempt);
      kept.isMissing = false;
      kept.isCaughtUp = true;
      kept.isLookedThrough = true;
      this.onCaughtUp.emit(address);
      this.onPresence.emit(address);
    } catch (error) {
      signal.throwIfAborted();
      log.warn('room archive not read', { error, attempt });
      // Nobody's words wait for an archive that cannot be read.
      kept.isLookedThrough = kept.room.state.kind === 'inside';
      this.#catchUpLater(address, kept, attempt);
    }
  }

  /** Outside the queue, so that what comes meanwhile is read. */
  #catchUpLater(address: BareJid, kept: Kept, attempt: number): void {
    const { spawn, clock, random } = this.#deps;
    spawn('read archive again', async (signal) => {
      const delayMs = backoffDelay(attempt, RETRY, () => randomFraction(random));
      await clock.sleep(delayMs, signal);
      if (kept.isCaughtUp || this.#kept.get(address) !== kept) return;
      await this.#enqueue(kept, () => this.#catchUp(address, kept, attempt + 1));
    });
  }

  async #read(address: BareJid, kept: Kept, message: RoomMessage): Promise<void> {
    // A room that was left has no sphere any more that could take it in.
    if (this.#kept.get(address) !== kept) return;
    try {
      // Said under a nick that nobody told us the account of: the archive names the author.
      if (message.from === null && message.stanzaId !== null) this.#readAgain(address, kept);
      const lost = this.#deps.lost();
      await this.#process(address, message);
      if (kept.isCaughtUp) this.#advance(address, message, lost);
    } catch (error) {
      this.#deps.signal.throwIfAborted();
      this.#deps.log.warn('room message not processed', { error });
      this.#readAgain(address, kept);
    }
  }

  /** The cursor stays in front of the message: the archive gives it again. */
  #readAgain(address: BareJid, kept: Kept): void {
    kept.isMissing ||= !kept.isCaughtUp;
    if (!kept.isCaughtUp) return;
    kept.isCaughtUp = false;
    this.#catchUpLater(address, kept, 0);
  }

  async #process(address: BareJid, message: RoomMessage): Promise<void> {
    const read = readRoomMessage(address, message, this.#deps.clock.now());
    if (read !== undefined) await this.#deps.receive(read, this.#deps.signal);
    await this.#breather.breathe();
  }

  /** Never past what was lost since: the archive gives it again. */
  #advance(address: BareJid, message: RoomMessage, lost: number): void {
    if (this.#deps.lost() !== lost) throw new AppError('disk-error', 'what was read did not come to the disk', {});
    if (message.stanzaId !== null) this.#deps.cursor.set(address, message.stanzaId);
  }
}
