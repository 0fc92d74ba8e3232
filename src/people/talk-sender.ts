import { backoffDelay } from '../base/backoff.ts';
import { fromUtf8 } from '../base/bytes.ts';
import { cutText } from '../base/cut-text.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { errorCode } from '../base/errors.ts';
import type { BareJid, EventId } from '../base/id.ts';
import { parseEventId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Logger } from '../base/log.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { TalkWordRow } from '../storage/talk-word-table.ts';
import type { Element } from '../xmpp/element.ts';
import { partElement } from '../xmpp/line-part.ts';
import { encryptedMessage } from '../xmpp/message.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { type Composed, composeLine, composeWord } from './compose-line.ts';
import { type LinePart, longLineId, MAX_LINE_BYTES, pieceId, sealPart, wholeId } from './line-part.ts';
import type { Talk } from './talk.ts';
import type { TalkEncryption } from './talk-encryption.ts';

interface TalkSenderDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly talk: Talk;
  readonly encryption: TalkEncryption;
  /** Whether our archive was read since the connection is there: it tells what has left before. */
  readonly isMailRead: () => boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const RETRY = { baseMs: 2_000, maxMs: 60_000 };
const IDLE_MS = 60_000;
/** Whatever is added is told of as well. */
const EMPTY_MS = 600_000;
/** Waiting mends these; with anything else the line is told to have failed, and its author decides. */
const PASSING: readonly ErrorCode[] = ['disconnected', 'timed-out', 'cancelled', 'server-unreachable', 'internal'];

/** Words that come back are said again so often, later each time, and then with the next connection. */
const MAX_RETURNS = 10;
const RETURN = { baseMs: 60_000, maxMs: 6 * 3_600_000 };
/** So many of the words that went out are known when they come back. */
const MAX_SENT = 200;

/** Waiting mends none of these. */
const HOPELESS: readonly ErrorCode[] = ['too-large', 'bad-input', 'not-allowed'];

/** What one person has still to get from us. */
interface Waiting {
  readonly rows: readonly DirectMessageRow[];
  readonly words: readonly TalkWordRow[];
}

interface Outbound extends Composed {
  readonly peer: BareJid;
  readonly id: string;
  /** The same for every attempt. */
  readonly name: string;
  readonly isChange?: boolean;
}

interface Piece {
  readonly peer: BareJid;
  readonly id: string;
  readonly text: string;
  readonly beside: readonly Element[];
  readonly part?: LinePart;
}

/** Sends what was said one to one: in order, each line once, encrypted for all devices of both. */
export class TalkSender {
  readonly #deps: TalkSenderDeps;
  /** Lines that may have left without our hearing of it: the archive is asked before they are sent again. */
  readonly #doubtful: Set<EventId>;
  /** Words that only other keys of theirs, or a new session, can help on their way. */
  readonly #parked = new Set<EventId>();
  /** Words that went out, oldest first: the other server may send them back. */
  readonly #sent = new Map<string, TalkWordRow>();
  /** Long texts of which a piece was refused since they were begun. */
  readonly #cameBack = new Set<EventId>();
  /** Words that came back: how often, and when they may go again, by the monotonic clock. */
  readonly #returned = new Map<string, { readonly times: number; readonly atMs: number }>();
  /** When somebody may be tried again, by the monotonic clock. */
  readonly #notBefore = new Map<BareJid, { readonly attempts: number; readonly atMs: number }>();
  /** Whose lines are on their way: somebody whose server does not answer must not hold up the others. */
  readonly #running = new Map<BareJid, Promise<void>>();
  readonly #work: RecurringWork;

  constructor(deps: TalkSenderDeps) {
    this.#deps = deps;
    this.#doubtful = new Set(deps.storage.directMessages.queued().map(({ id }) => id));
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: IDLE_MS });
    deps.talk.onQueued.on(() => this.#work.wake());
  }

  /** Whether nothing waits that could leave. */
  get isIdle(): boolean {
    const { directMessages } = this.#deps.storage;
    return this.#running.size === 0 && directMessages.queued().length === 0 && this.#words().length === 0;
  }

  /** A connection, other keys: everything is tried anew. */
  poke(): void {
    this.#notBefore.clear();
    this.#parked.clear();
    this.#returned.clear();
    this.#work.wake();
  }

  /** Our archive holds a message that this device sent. */
  arrived(stanzaId: string): void {
    const { directMessages, talkParts } = this.#deps.storage;
    const row = directMessages.queued().find((queued) => queued.stanzaId === wholeId(stanzaId));
    if (row === undefined || !this.#doubtful.has(row.id)) return;
    if (row.stanzaId !== stanzaId) {
      const line = parseEventId(longLineId(row.id, composeLine(this.#composing, row).text));
      const number = Number(stanzaId.slice(wholeId(stanzaId).length + 1));
      talkParts.put({ line, number, count: 0, atMs: this.#deps.clock.now(), piece: null });
      return;
    }
    this.#doubtful.delete(row.id);
    this.#deps.talk.settle(row, { state: 'sent', failure: null });
  }

  /** What our server took and theirs did not is said again, if it was a word about a line and none like it waits. */
  bounced(peer: BareJid, stanzaId: string | null): void {
    const { storage, clock, client } = this.#deps;
    const said = wholeId(stanzaId ?? '');
    const row = storage.directMessages.get(said.split('.')[0] as EventId);
    if (row?.mine === true && row.peer === peer) this.#forgetLeft(row.id, composeLine(this.#composing, row));
    const word = this.#sent.get(said);
    const about = word === undefined ? undefined : storage.directMessages.get(word.line);
    if (word === undefined || about?.peer !== peer || storage.blocked.has(peer)) return;
    const { id, line, kind } = word;
    this.#sent.delete(id);
    this.#forgetLeft(id, composeWord(this.#composing, kind, about));
    const isSaidAnew = (other: TalkWordRow): boolean => other.line === line && other.kind === kind && other.id !== id;
    if (storage.talkWords.list().some(isSaidAnew)) return;
    const times = (this.#returned.get(id)?.times ?? 0) + 1;
    const atMs = clock.monotonic() + backoffDelay(times, RETURN, () => client.jitter());
    this.#returned.set(id, { times, atMs });
    if (times > MAX_RETURNS) this.#parked.add(id);
    storage.talkWords.put({ id, peer, line, kind });
  }

  /** Of a long text that came back it is unknown which pieces are there. */
  #forgetLeft(name: string, said: Composed | undefined): void {
    if (said === undefined) return;
    const line = parseEventId(longLineId(name, said.text));
    this.#cameBack.add(line);
    this.#deps.storage.talkParts.remove(line);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#work.run(signal);
    await Promise.all(this.#running.values());
  }

  /** Begins an attempt for everybody whose lines are not held up; how long until the next one makes sense. */
  async #pass(signal: AbortSignal): Promise<number> {
    const { client, storage, clock } = this.#deps;
    // Coming online pokes.
    if (client.state.kind !== 'online') return EMPTY_MS;
    const queue = storage.directMessages.queued();
    const words = this.#words();
    if (queue.length + words.length === 0) return EMPTY_MS;
    const nowMs = clock.monotonic();
    let nextMs = nowMs + IDLE_MS;
    const lines = Map.groupBy(queue, (row) => row.peer);
    const said = Map.groupBy(words, (word) => word.peer);
    for (const peer of new Set([...lines.keys(), ...said.keys()])) {
      if (this.#running.has(peer)) continue;
      const rows = lines.get(peer) ?? [];
      const atMs = this.#notBefore.get(peer)?.atMs ?? 0;
      if (atMs > nowMs) nextMs = Math.min(nextMs, atMs);
      else if (!this.#isUndecided(rows[0])) this.#begin(peer, { rows, words: said.get(peer) ?? [] }, signal);
    }
    return Math.max(50, nextMs - nowMs);
  }

  #begin(peer: BareJid, { rows, words }: Waiting, signal: AbortSignal): void {
    const running = this.#sendInOrder(rows, signal)
      .then((isDone) => (isDone ? this.#sendWords(words, signal) : undefined))
      .catch((error: unknown) => {
        this.#deps.log.error('lines not sent', { error });
        this.#holdBack(peer);
      })
      .finally(() => {
        this.#running.delete(peer);
        this.#work.wake();
      });
    this.#running.set(peer, running);
  }

  /** A line that still waits holds up those after it, and the words about them. Whether none waits any more. */
  async #sendInOrder(rows: readonly DirectMessageRow[], signal: AbortSignal): Promise<boolean> {
    const { client, storage } = this.#deps;
    for (const row of rows) {
      if (signal.aborted || client.state.kind !== 'online' || this.#isUndecided(row)) return false;
      // Its author may have taken it back since.
      const latest = storage.directMessages.get(row.id);
      if (latest?.state !== 'queued') continue;
      if (latest.change === 'retracted') this.#forget(latest);
      else await this.#attempt(latest, signal);
      if (storage.directMessages.get(row.id)?.state === 'queued') return false;
    }
    return true;
  }

  /** Taken back before it left, nothing is said; if it may have left, they are told to take it away. */
  #forget(row: DirectMessageRow): void {
    const { talk } = this.#deps;
    if (this.#doubtful.delete(row.id)) talk.settle(row, { state: 'sent', failure: null });
    else talk.drop(row.id);
  }

  async #sendWords(words: readonly TalkWordRow[], signal: AbortSignal): Promise<void> {
    const { client, storage, log } = this.#deps;
    for (const word of words) {
      const { id, peer, line, kind } = word;
      if (signal.aborted || client.state.kind !== 'online') return;
      const row = storage.directMessages.get(line);
      if (row === undefined || row.state === 'queued' || !storage.talkWords.has(id)) continue;
      const composed = row.state === 'failed' ? undefined : composeWord(this.#composing, kind, row);
      try {
        if (composed !== undefined) {
          this.#remember(word);
          await this.#send({ peer, id, name: id, isChange: kind === 'edit', ...composed }, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.info('a word about a line not sent', { error });
        const code = errorCode(error);
        if (PASSING.includes(code)) return this.#holdBack(peer);
        if (!HOPELESS.includes(code)) {
          this.#parked.add(id);
          continue;
        }
      }
      // It may come back before our server has said that it took it.
      if (this.#isDue(id)) storage.talkWords.remove(id);
      this.#notBefore.delete(peer);
    }
  }

  #words(): TalkWordRow[] {
    return this.#deps.storage.talkWords.list().filter(({ id }) => this.#isDue(id));
  }

  #isDue(id: EventId): boolean {
    return !this.#parked.has(id) && (this.#returned.get(id)?.atMs ?? 0) <= this.#deps.clock.monotonic();
  }

  #remember(word: TalkWordRow): void {
    this.#sent.set(word.id, word);
    const [oldest] = this.#sent.keys();
    if (this.#sent.size <= MAX_SENT || oldest === undefined) return;
    this.#sent.delete(oldest);
    this.#returned.delete(oldest);
  }

  get #composing() {
    const { client, storage } = this.#deps;
    return { lines: storage.directMessages, own: client.jid };
  }

  #isUndecided(row: DirectMessageRow | undefined): boolean {
    return row !== undefined && this.#doubtful.has(row.id) && !this.#deps.isMailRead();
  }

  #holdBack(peer: BareJid): void {
    const { clock, client } = this.#deps;
    const attempts = (this.#notBefore.get(peer)?.attempts ?? 0) + 1;
    const atMs = clock.monotonic() + backoffDelay(attempts, RETRY, () => client.jitter());
    this.#notBefore.set(peer, { attempts, atMs });
  }

  async #attempt(row: DirectMessageRow, signal: AbortSignal): Promise<void> {
    const { talk, log } = this.#deps;
    try {
      const { peer, id, stanzaId } = row;
      await this.#send({ peer, id: stanzaId ?? id, name: id, ...composeLine(this.#composing, row) }, signal);
    } catch (error) {
      if (signal.aborted) return;
      const code = errorCode(error);
      log[code === 'disconnected' ? 'debug' : 'warn']('line not sent', { error });
      if (!PASSING.includes(code)) {
        talk.settle(row, { state: 'failed', failure: code });
        return;
      }
      this.#doubtful.add(row.id);
      this.#holdBack(row.peer);
      return;
    }
    this.#doubtful.delete(row.id);
    this.#notBefore.delete(row.peer);
    // Apart from the sending: a disk that cannot note it makes no failed line of one that has left.
    talk.settle(row, { state: 'sent', failure: null });
  }

  /** A long text piece by piece, which other programs show as lines: after a cut those that have not left yet. */
  async #send(
    { peer, id, name, text, beside, asks = [], isChange = false }: Outbound,
    signal: AbortSignal,
  ): Promise<void> {
    const { talkParts } = this.#deps.storage;
    const pieces = cutText(text, MAX_LINE_BYTES).map((bytes) => fromUtf8(bytes) ?? '');
    const count = pieces.length;
    if (count === 1) return await this.#sendPiece({ peer, id, text, beside: [...beside, ...asks] }, signal);
    const of = longLineId(name, text);
    const line = parseEventId(of);
    this.#cameBack.delete(line);
    for (const [number, piece] of pieces.entries()) {
      if (talkParts.has(line, number)) continue;
      const about = [...(number === 0 ? beside : []), ...(number === count - 1 ? asks : [])];
      const part = { of, number, count, isChange };
      await this.#sendPiece({ peer, id: pieceId(id, part), text: piece, beside: about, part }, signal);
      // Word that it came back may be here before our own server's word that it took it.
      if (this.#cameBack.has(line)) continue;
      talkParts.put({ line, number, count, atMs: this.#deps.clock.now(), piece: null });
    }
    talkParts.remove(line);
  }

  async #sendPiece({ peer, text, id, beside, part }: Piece, signal: AbortSignal): Promise<void> {
    const { client, encryption, random } = this.#deps;
    const { message, messageKey } = await encryption.encrypt(peer, text, signal);
    const mark = part === undefined ? [] : [partElement(sealPart(messageKey, part, random))];
    const stanza = { to: peer, type: 'chat', id, omemo: message, hasLine: true, beside: [...beside, ...mark] } as const;
    await client.sendConfirmed(encryptedMessage(stanza), signal);
  }
}
