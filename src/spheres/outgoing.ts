import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import type { OutboxRow, QueuedEntry } from '../storage/outbox-table.ts';
import type { Storage } from '../storage/storage.ts';
import { errorCondition } from '../xmpp/stanza-error.ts';
import type { Audience } from './audience.ts';
import { addressee, parseAudience } from './audience.ts';
import type { Carrier } from './carrier.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { EntrySealer, entryNumber, messageId } from './entry-sealer.ts';
import type { OwnMessage } from './incoming-message.ts';
import { attachment, decodeEnvelope, encodeEnvelope } from './protocol/envelope.ts';
import type { RecipientBook } from './recipients.ts';
import type { TroubleKind } from './send-troubles.ts';
import { SendTroubles } from './send-troubles.ts';

const RETRY = { baseMs: 2_000, maxMs: 60_000 };
/** Whoever has no readable keys now rarely has them a moment later; news of keys end the wait. */
const RETRY_KEYS = { baseMs: 5_000, maxMs: 600_000 };
const IDLE_MS = 60_000;
/** Whatever is added is told of as well. */
const EMPTY_MS = 600_000;
/** Nothing that happens by itself mends these on our side: the entry is told to have failed and lets the others pass. */
const HOPELESS: readonly ErrorCode[] = ['too-large', 'bad-input', 'internal', 'not-found'];

interface OutgoingDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly directory: DeviceDirectory;
  readonly carrier: Carrier;
  readonly book: RecipientBook;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** An entry of the outbox with its audience read. `lane`: what one destination gets for one audience stays in order. */
interface Entry<Row extends QueuedEntry = OutboxRow> {
  readonly row: Row;
  readonly audience: Audience;
  readonly lane: string;
}

/** What has to wait in a pass, and until when at the earliest. */
interface Pass {
  readonly destinations: Set<string>;
  readonly lanes: Set<string>;
  nextMs: number;
}

/**
 * Sends what stands in the outbox: in order, encrypted for the recipients of the moment, again until the server
 * has it. A destination that cannot be reached holds up its entries, recipients without keys only their own.
 */
export class Outgoing {
  /** An entry reached the server and left the outbox; a part of a text is told as that text, here and below. */
  readonly onSent: Emitter<OutboxRow>;
  /** An entry cannot be sent as it is. */
  readonly onFailed: Emitter<OutboxRow>;
  /** What nobody waits for is refused again and again; it is tried on, rarely. */
  readonly onRefused: Emitter<OutboxRow>;
  readonly #deps: OutgoingDeps;
  readonly #sealer: EntrySealer;
  readonly #passed: Emitter<void>;
  readonly #notBefore = new Map<string, number>();
  readonly #withoutKeys = new Map<string, { readonly attempts: number; readonly untilMs: number }>();
  /** Entries without a line that failed, and why; the next start tries them again. */
  readonly #hopeless = new Map<number, ErrorCode>();
  readonly #troubles: SendTroubles;
  /** Entries that may have left without our hearing of it: the archive is asked before they are sent again. */
  readonly #doubtful: Set<number>;
  readonly #work: RecurringWork;
  #pokes = 0;
  #isBusy = false;

  constructor(deps: OutgoingDeps) {
    this.#deps = deps;
    this.#sealer = new EntrySealer(deps);
    this.#troubles = new SendTroubles(deps);
    // The last run may have ended between sending and hearing of it.
    this.#doubtful = new Set(deps.storage.outbox.queued().map(({ id }) => id));
    this.onSent = new Emitter((error) => deps.log.error('sent listener failed', { error }));
    this.onFailed = new Emitter((error) => deps.log.error('failure listener failed', { error }));
    this.onRefused = new Emitter((error) => deps.log.error('refusal listener failed', { error }));
    this.#passed = new Emitter((error) => deps.log.error('pass listener failed', { error }));
    this.#work = new RecurringWork({
      ...deps,
      pass: (signal) => this.#pass(signal).finally(() => this.#passed.emit()),
      retryMs: IDLE_MS,
    });
  }

  /** Something changed: a new entry, a connection, a room joined. */
  poke(): void {
    this.#notBefore.clear();
    this.#pokes += 1;
    this.#work.wake();
  }

  /** Somebody may have other keys than before, as after every new connection. */
  keysChanged(): void {
    this.#withoutKeys.clear();
    this.#troubles.tryAgain();
    this.poke();
  }

  /** An archive holds a message of this device: if it was in doubt, it has left. */
  async arrived({ to, id, omemo }: OwnMessage): Promise<void> {
    const number = entryNumber(id);
    const row = this.#doubtful.has(number) ? this.#deps.storage.outbox.get(number) : undefined;
    if (row?.state !== 'queued' || row.to !== to || messageId(row) !== id) return;
    const entry = entryOf(row);
    const reached = new Set(omemo.keys.map(({ deviceId }) => deviceId));
    const recipients = await this.#deps.book.recipients(row, entry.audience);
    this.#keepSent(
      entry,
      recipients.filter(({ deviceId }) => !reached.has(deviceId)),
    );
    this.onSent.emit(this.#asTold(row));
    this.#passed.emit();
  }

  /** Whether everything has left, but for what waits until somebody publishes keys, or a room lets us in or is well again. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#deps.storage.outbox.queued().every((row) => this.#isParked(row));
  }

  /**
   * Resolves when the server has these events, rejects when one of them cannot be sent. With `orParked` it is also
   * enough that nobody they are meant for has readable keys, or that the server keeps us out of the room.
   */
  async flushed(events: readonly EventId[], options: { orParked: boolean }, signal: AbortSignal): Promise<void> {
    const { outbox } = this.#deps.storage;
    const rows = (): OutboxRow[] => events.flatMap((id) => outbox.byEvent(id)).filter((row) => !isExtra(row));
    const waits = (): boolean => {
      for (const row of rows()) this.#throwIfFailed(row);
      return rows().some((row) => !(options.orParked && this.#isParked(row)));
    };
    const done = Promise.withResolvers<void>();
    const look = (): void => {
      try {
        if (!waits()) done.resolve();
      } catch (error) {
        done.reject(error);
      }
    };
    const stop = this.#passed.on(look);
    const onAbort = (): void => done.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      if (!waits()) return;
      this.poke();
      await done.promise;
    } finally {
      stop();
      signal.removeEventListener('abort', onAbort);
    }
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  /** One attempt for everything that is not held up; how long until the next one makes sense. */
  async #pass(signal: AbortSignal): Promise<number> {
    const { storage, carrier, clock } = this.#deps;
    // Coming online pokes.
    if (!carrier.isOnline) return EMPTY_MS;
    const queue = storage.outbox.queued();
    this.#troubles.keepOnly(queue);
    if (queue.length === 0) return EMPTY_MS;
    this.#isBusy = true;
    const pass: Pass = { destinations: new Set(), lanes: new Set(), nextMs: clock.monotonic() + IDLE_MS };
    try {
      for (const queued of queue) {
        if (signal.aborted) return IDLE_MS;
        if (this.#hopeless.has(queued.id) || this.#isEnded(queued)) continue;
        const asideMs = this.#troubles.asideUntil(queued.id);
        if (asideMs > clock.monotonic()) {
          pass.nextMs = Math.min(pass.nextMs, asideMs);
          continue;
        }
        const entry = entryOf(queued);
        if (!this.#mayTry(entry, pass)) continue;
        // It may have left, or been taken back, since the list was made.
        const row = storage.outbox.get(queued.id);
        if (row?.state === 'queued') await this.#attempt({ ...entry, row }, pass, signal);
      }
    } finally {
      this.#isBusy = false;
    }
    return Math.max(50, pass.nextMs - clock.monotonic());
  }

  #mayTry({ row, audience, lane }: Entry<QueuedEntry>, pass: Pass): boolean {
    if (pass.destinations.has(row.to) || pass.lanes.has(lane)) return false;
    const { carrier, clock } = this.#deps;
    const room = addressee(audience) === undefined ? row.to : null;
    const isThere = room === null ? carrier.isOnline : carrier.isInRoom(room);
    const isReachable = isThere && (!this.#doubtful.has(row.id) || carrier.isLookedThrough(room));
    const destinationMs = Math.max(this.#notBefore.get(row.to) ?? 0, this.#troubles.heldUntil(row.to));
    const laneMs = this.#withoutKeys.get(lane)?.untilMs ?? 0;
    const isLate = (atMs: number): boolean => atMs <= clock.monotonic();
    if (isReachable && isLate(destinationMs) && isLate(laneMs)) return true;
    // Coming into the room pokes, and so does its archive; there is no time to wait for.
    if (isReachable) pass.nextMs = Math.min(pass.nextMs, isLate(destinationMs) ? laneMs : destinationMs);
    if (!isReachable || !isLate(destinationMs)) pass.destinations.add(row.to);
    else pass.lanes.add(lane);
    return false;
  }

  async #attempt(entry: Entry, pass: Pass, signal: AbortSignal): Promise<void> {
    const { row, lane } = entry;
    const { storage } = this.#deps;
    const pokes = this.#pokes;
    try {
      const missed = await this.#send(entry, signal);
      this.#keepSent(entry, missed);
      this.#notBefore.delete(row.to);
      this.#withoutKeys.delete(lane);
      if (this.#troubles.sent(row)) pass.nextMs = 0;
      this.onSent.emit(this.#asTold(row));
    } catch (error) {
      if (signal.aborted || storage.outbox.get(row.id) === undefined) return;
      this.#failed(entry, pass, pokes !== this.#pokes, error);
    }
  }

  #failed({ row, audience, lane }: Entry, pass: Pass, wasPoked: boolean, error: unknown): void {
    const { storage, clock, random, log } = this.#deps;
    const code = errorCode(error);
    const level = code === 'disconnected' && errorCondition(error) === undefined ? 'debug' : 'warn';
    log[level]('message not sent', { entry: row.id, attempts: row.attempts + 1, error });
    this.#doubtful.add(row.id);
    if (code !== 'cannot-encrypt') storage.outbox.update(row.id, { attempts: row.attempts + 1 });
    const fraction = (): number => randomFraction(random);
    const trouble = troubleOf(error, addressee(audience) === undefined);
    const outcome = trouble === null ? 'held' : this.#troubles.note(row, trouble);
    const isRefusedLine = outcome === 'refused' && this.#isLine(row);
    if (isRefusedLine || (trouble === null && HOPELESS.includes(code))) {
      this.#giveUp(row, trouble === null ? code : 'server-unreachable');
    } else if (outcome === 'aside' || outcome === 'refused') {
      pass.nextMs = Math.min(pass.nextMs, this.#troubles.asideUntil(row.id));
      if (outcome === 'refused') this.onRefused.emit(row);
    } else if (code === 'cannot-encrypt') {
      const attempts = this.#withoutKeys.get(lane)?.attempts ?? 0;
      const untilMs = clock.monotonic() + backoffDelay(attempts, RETRY_KEYS, fraction);
      this.#withoutKeys.set(lane, { attempts: attempts + 1, untilMs });
      pass.lanes.add(lane);
      pass.nextMs = Math.min(pass.nextMs, untilMs);
    } else {
      // What changed while this attempt ran may be just what it lacked.
      const soonMs = clock.monotonic() + (wasPoked ? 0 : backoffDelay(row.attempts, RETRY, fraction));
      const untilMs = Math.max(soonMs, this.#troubles.failsUntil(row.to));
      this.#notBefore.set(row.to, untilMs);
      pass.destinations.add(row.to);
      pass.nextMs = Math.min(pass.nextMs, untilMs);
    }
  }

  /** A line is shown as failed until its author decides; anything else is tried again at the next start. */
  #giveUp(row: OutboxRow, code: ErrorCode): void {
    const { storage } = this.#deps;
    this.#troubles.forget(row.id);
    if (this.#isLine(row)) {
      storage.transaction(() => {
        for (const { id } of this.#ofText(row)) storage.outbox.update(id, { state: 'failed' });
        storage.messages.update(this.#asTold(row).eventId, { state: 'failed', failure: code });
      });
    } else this.#hopeless.set(row.id, code);
    this.onFailed.emit(this.#asTold(row));
  }

  /** What somebody wrote or shared: they see what becomes of it, and can try again. */
  #isLine(row: OutboxRow): boolean {
    if (isExtra(row) || row.line === null) return false;
    return this.#deps.storage.messages.get(this.#asTold(row).eventId)?.state === 'queued';
  }

  #asTold(row: OutboxRow): OutboxRow {
    return { ...row, eventId: this.#deps.storage.events.lineOf(row.eventId) };
  }

  /** Entries with the text that this one is of, or a part of it, for all members. */
  #ofText({ eventId }: OutboxRow): OutboxRow[] {
    const { events, outbox } = this.#deps.storage;
    const rows = events.ofText(eventId).flatMap((id) => outbox.byEvent(id));
    return rows.filter(({ audience }) => parseAudience(audience).kind === 'members');
  }

  #throwIfFailed(row: OutboxRow): void {
    const { failure } = this.#deps.storage.messages.get(row.eventId) ?? {};
    const code = row.state === 'failed' ? (failure ?? 'internal') : this.#hopeless.get(row.id);
    if (code !== undefined) throw new AppError(code, 'it cannot be sent', { entry: row.id });
  }

  /** Resolves with the devices it was meant for that cannot read it. */
  async #send({ row, audience }: Entry, signal: AbortSignal): Promise<readonly DeviceAddress[]> {
    const { book, carrier, storage } = this.#deps;
    const recipients = await book.recipients(row, audience);
    if (recipients.length === 0) {
      // Alone in the sphere: whoever joins later is told everything.
      if (audience.kind !== 'account') return [];
      throw new AppError('cannot-encrypt', 'the account publishes no keys', {});
    }
    const { message, missed } = await this.#sealer.seal(row, audience, recipients, signal);
    // Taken back from now on, the invited person has to be told, whether or not we heard that it arrived; it may have been
    // taken back while it was encrypted.
    const mayLeave = audience.kind !== 'account' || storage.outbox.update(row.id, { attempts: row.attempts + 1 });
    if (!mayLeave) throw new AppError('cancelled', 'it was taken back', {});
    if (addressee(audience) !== undefined) await carrier.toAccount(row.to, message, signal);
    else await carrier.toRoom(row.to, message, signal);
    return missed;
  }

  /** The entry has done its work; members' devices that it did not reach get one of their own. */
  #keepSent({ row, audience }: Entry, missed: readonly DeviceAddress[]): void {
    const { storage, book } = this.#deps;
    this.#doubtful.delete(row.id);
    const keep = (): void => {
      storage.outbox.remove(row.id);
      if (audience.kind === 'members' && this.#ofText(row).length === 0) {
        const { eventId } = this.#asTold(row);
        if (storage.messages.get(eventId)?.state === 'queued') storage.messages.update(eventId, { state: 'sent' });
      }
      for (const address of missed) {
        const device = book.certifiedDevice(row, address);
        if (device === undefined || audience.kind === 'device' || addressee(audience) !== undefined) continue;
        const { id: _id, ...copy } = row;
        const extra: Audience = { kind: 'device', device };
        storage.outbox.add({ ...copy, audience: extra, line: null, attempts: 0, envelope: withText(row, storage) });
      }
    };
    // An entry that is back after a power cut is looked for in the archive before it is sent again.
    storage.transaction(keep, 'later');
  }

  /** Of a sphere that removed us: its lines wait for a way back, and nobody waits for them. */
  #isEnded({ sphereId }: QueuedEntry): boolean {
    return sphereId !== null && this.#deps.storage.spheres.get(sphereId)?.state === 'removed';
  }

  /** For a room that the sphere has left, and that is not there just now. */
  #isLeftBehind({ sphereId, to, audience }: QueuedEntry): boolean {
    if (sphereId === null || addressee(parseAudience(audience)) !== undefined) return false;
    return this.#deps.storage.spheres.get(sphereId)?.room !== to && !this.#deps.carrier.isInRoom(to);
  }

  #isParked(row: QueuedEntry): boolean {
    if (this.#isEnded(row) || this.#deps.carrier.isKeptOut(row.to) || this.#isLeftBehind(row)) return true;
    if (this.#hopeless.has(row.id) || this.#troubles.asideUntil(row.id) > 0) return true;
    return this.#withoutKeys.has(entryOf(row).lane);
  }
}

function entryOf<Row extends QueuedEntry>(row: Row): Entry<Row> {
  return { row, audience: parseAudience(row.audience), lane: `${row.to} ${JSON.stringify(row.audience)}` };
}

/** RFC 6120 §8.3.2: an answer says whether the same may go through later. null: nobody answered with an error. */
function troubleOf(error: unknown, isForRoom: boolean): TroubleKind | null {
  const code = errorCode(error);
  // XEP-0045 §7.4: a room sends back what it takes. Whether it did all the same, its archive tells before the next attempt.
  if (code === 'timed-out' && isForRoom) return 'silence';
  if (code === 'server-unreachable') return 'fault';
  return code === 'disconnected' || errorCondition(error) === undefined ? null : 'refusal';
}

/** What one device gets because it missed the message to all. */
function isExtra(row: OutboxRow): boolean {
  return parseAudience(row.audience).kind === 'device';
}

/** Without a line the text of a message has to travel beside its event. */
function withText(row: OutboxRow, storage: Storage): Uint8Array {
  const text = row.line === null ? undefined : storage.attachments.get(row.eventId, 'text');
  if (text === undefined) return row.envelope;
  const [first, ...others] = decodeEnvelope(row.envelope);
  if (first === undefined) return row.envelope;
  return encodeEnvelope([{ ...first, attachments: [...first.attachments, attachment('text', text)] }, ...others]);
}
