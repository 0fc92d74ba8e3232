import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { requireSayable } from '../base/cut-text.ts';
import { Emitter } from '../base/emitter.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import { parseEventId } from '../base/id.ts';
import { toHex, toUtf8 } from '../base/bytes.ts';
import type { RandomBytes } from '../base/random.ts';
import type { DirectLine, DirectTalk, TalkNote } from '../spheres/direct-talk.ts';
import type { IncomingMessage } from '../spheres/incoming-message.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { withoutQuote } from './compose-line.ts';
import type { Contacts } from './contacts.ts';
import { LineChanges } from './line-changes.ts';
import { type LinePart, MAX_LINE_BYTES, openPart, wholeId } from './line-part.ts';
import { LongLines } from './long-lines.ts';

/** A line was added, is different now, or is gone. */
export interface TalkChange {
  readonly peer: BareJid;
  readonly id: EventId;
}

/** The person who certified that this identity key is that of a device of theirs at this address. */
export type PersonBehind = (jid: BareJid, identityKey: Uint8Array) => PersonId | null;

type SignsNote = Extract<TalkNote, { kind: 'reactions' }>;

interface TalkDeps {
  readonly storage: Storage;
  readonly contacts: Contacts;
  readonly own: BareJid;
  /** Our own person. */
  readonly person: PersonId;
  readonly personBehind: PersonBehind;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly onError: (error: unknown) => void;
}

/** Of somebody we have not answered so many lines of such a length are kept. */
const MAX_LINES_OF_STRANGER = 20;
const MAX_STRANGER_TEXT = 1000;
const MAX_RETRIED = 50;

/** What is said between us and one person: ordinary encrypted messages that any program shows. */
export class Talk implements DirectTalk {
  readonly onChange: Emitter<TalkChange>;
  /** Something new waits to be sent. */
  readonly onQueued: Emitter<void>;
  /** A line was read on this device; told with the one who wrote it. */
  readonly onRead: Emitter<BareJid>;
  /** Something came whose author wants to hear so; `id` is the one to answer with. */
  readonly onHeard: Emitter<{ readonly peer: BareJid; readonly id: string }>;
  readonly #deps: TalkDeps;
  readonly #changes: LineChanges;
  readonly #long: LongLines;

  constructor(deps: TalkDeps) {
    this.#deps = deps;
    this.onChange = new Emitter(deps.onError);
    this.onQueued = new Emitter(deps.onError);
    this.onRead = new Emitter(deps.onError);
    this.onHeard = new Emitter(deps.onError);
    this.#changes = new LineChanges(deps);
    this.#long = new LongLines(deps);
    deps.contacts.onMoved.on(({ to }) => this.#followed(to));
  }

  admits({ from, peer, sealed }: IncomingMessage): boolean {
    const { own, contacts, storage } = this.#deps;
    if (from === own || peer === null) return true;
    // Invitations to spheres have bounds of their own.
    return sealed === null ? contacts.admits(peer) : !storage.blocked.has(peer);
  }

  keep(message: IncomingMessage, line: DirectLine): () => void {
    const { contacts, own, storage, personBehind } = this.#deps;
    const { peer, from, atMs, id: stanzaId } = message;
    const { encrypted, identityKey } = line;
    const person = identityKey === null ? null : personBehind(from, identityKey);
    const isOurs = from === own;
    const contact = peer === null ? undefined : contacts.meet(peer, isOurs);
    if (peer === null || contact === undefined) return () => undefined;
    const isStranger = contact.standing === 'request';
    if (isStranger && storage.directMessages.count(peer) >= MAX_LINES_OF_STRANGER) return () => undefined;
    const part = isStranger ? undefined : partOf(message, line);
    if (part !== undefined) return this.#keepPart(message, line, part, person);
    const said = isStranger ? line.text.slice(0, MAX_STRANGER_TEXT).toWellFormed() : line.text;
    const done = this.#changes.take(message, { ...line, text: said }, person);
    if (done !== undefined) return () => this.#tell(message, done.changed);
    const id = lineId(message, line);
    const state: DirectMessageRow['state'] = isOurs && line.state === 'received' ? 'sent' : line.state;
    const markable = !isOurs && message.marks?.isMarkable === true;
    const rest = { markable, ...this.#answer(message, said) };
    const isNew = storage.directMessages.add({
      ...{ id, peer, mine: isOurs, person, stanzaId, atMs, state, failure: null, encrypted },
      ...rest,
    });
    if (isNew && isOurs) this.#noteWrittenElsewhere(peer, atMs);
    const isHeard = isNew || this.#noteAttempt(id, stanzaId, person);
    if (isHeard) this.#changes.takeLate(id);
    return () => {
      if (isHeard) this.#tell(message, id, line.state === 'received');
    };
  }

  /** A line grows with every piece of it, whatever their order; a change waits for all of its words. */
  #keepPart(message: IncomingMessage, line: DirectLine, part: LinePart, person: PersonId | null): () => void {
    const { own, storage } = this.#deps;
    const { directMessages } = storage;
    const long = this.#long.take(message, line, part);
    if ('known' in long) {
      const isHeard = part.number === part.count - 1 && this.#noteAttempt(long.known, message.id, person);
      return () => (isHeard ? this.#tell(message, long.known) : undefined);
    }
    const { id, isWhole } = long;
    const { peer, atMs, marks, id: stanzaId } = long.message;
    if (peer === null || (part.isChange && !isWhole)) return () => undefined;
    const done = this.#changes.take(long.message, { ...line, text: long.text }, person);
    if (done !== undefined) return () => this.#tell(long.message, done.changed);
    const mine = message.from === own;
    const rest = { markable: !mine && marks?.isMarkable === true, ...this.#answer(long.message, long.text) };
    const row = { id, peer, mine, person, stanzaId, atMs, failure: null, encrypted: true, ...rest };
    const isNew = directMessages.add({ ...row, state: mine ? 'sent' : 'received' });
    // What was changed or taken back meanwhile stays so.
    if (!isNew && directMessages.get(id)?.change === 'none') directMessages.update(id, rest);
    if (isNew && mine) this.#noteWrittenElsewhere(peer, atMs);
    // The rest may have come with another attempt.
    if (!isNew) this.#noteAttempt(id, stanzaId, person);
    this.#changes.takeLate(id);
    return () => this.#tell(long.message, id, isWhole);
  }

  /** Keeps the line and queues it; it goes out whenever the server can be reached. */
  say(peer: BareJid, text: string, replyTo: EventId | null = null): DirectMessageRow {
    const { storage, contacts, random, clock, person } = this.#deps;
    this.#requireSayable(peer, text);
    const id = parseEventId(toHex(random(32)));
    storage.transaction(() => {
      contacts.meet(peer, true);
      const row = { id, peer, mine: true, person, stanzaId: id, text, atMs: clock.now(), state: 'queued' as const };
      storage.directMessages.add({ ...row, failure: null, encrypted: true, replyTo });
      this.#noteRead(peer, false);
    });
    this.#changed({ peer, id });
    this.onRead.emit(peer);
    this.onQueued.emit();
    return this.#required(id);
  }

  /** Another text for a line of ours. */
  edit(id: EventId, text: string): DirectMessageRow {
    this.#requireSayable(this.#required(id).peer, text);
    return this.#change(id, () => this.#changes.edit(id, text));
  }

  /** Takes a line of ours back for good. */
  retract(id: EventId): void {
    this.#requireSayable(this.#required(id).peer, '');
    this.#change(id, () => this.#changes.retract(id));
  }

  /** All our signs on a line, in place of those before. */
  react(id: EventId, signs: readonly string[]): void {
    this.#requireSayable(this.#required(id).peer, '');
    this.#change(id, () => this.#changes.react(id, signs));
  }

  /** Signs that came in the clear, as most programs send them: they say nothing about who they know. */
  signed({ peer, isOurs, atMs, id, signs }: SignsNote, isLive: boolean): void {
    const { contacts, storage } = this.#deps;
    const line = storage.directMessages.ofStanza(peer, id);
    if (line === undefined || contacts.isStranger(peer) || storage.blocked.has(peer)) return;
    if (this.#changes.sign(line, isOurs ? 'mine' : 'theirs', { signs, atMs, isLive })) this.#changed(line);
  }

  /** Queues a line of ours again that could not be sent. What becomes of the attempt before says nothing about this one. */
  retry(id: EventId): void {
    const row = this.#failed(id);
    const { storage, random } = this.#deps;
    const stanzaId = `${id}.${toHex(random(8))}`;
    storage.directMessages.update(id, { stanzaId, state: 'queued', failure: null });
    this.#changed(row);
    this.onQueued.emit();
  }

  /** Queues those of the newest lines to somebody again that could not be sent for this reason. */
  retryAll(peer: BareJid, failure: ErrorCode): void {
    const lines = this.#deps.storage.directMessages.newest(peer, MAX_RETRIED);
    for (const row of lines) if (row.state === 'failed' && row.failure === failure) this.retry(row.id);
  }

  /** Forgets a line of ours that could not be sent. */
  remove(id: EventId): void {
    this.#failed(id);
    this.drop(id);
  }

  /** Forgets a line that nobody else has. */
  drop(id: EventId): void {
    const row = this.#required(id);
    this.#deps.storage.directMessages.remove(id);
    this.#changed(row);
  }

  /** What became of an attempt to send a line of ours. */
  settle(
    { id, stanzaId }: Pick<DirectMessageRow, 'id' | 'stanzaId'>,
    outcome: Pick<DirectMessageRow, 'state' | 'failure'>,
  ): void {
    const { directMessages } = this.#deps.storage;
    const row = directMessages.get(id);
    if (row?.state !== 'queued' || row.stanzaId !== stanzaId) return;
    directMessages.update(id, outcome);
    this.#changed(row);
  }

  /** What our server took and theirs did not: its author decides. */
  bounced(peer: BareJid, stanzaId: string | null): void {
    const { directMessages } = this.#deps.storage;
    // Of this device's lines every attempt begins with the line's own id.
    const said = stanzaId === null ? undefined : wholeId(stanzaId);
    const row = said === undefined ? undefined : directMessages.get(said.split('.')[0] as EventId);
    if (row?.mine !== true || row.peer !== peer || row.stanzaId !== said) return;
    if (!['queued', 'sent'].includes(row.state)) return;
    directMessages.update(row.id, { state: 'failed', failure: 'server-unreachable' });
    this.#changed(row);
  }

  markRead(peer: BareJid): void {
    this.#noteRead(peer, false);
    this.onRead.emit(peer);
  }

  /** Somebody's lines are under this address from now on. */
  #followed(peer: BareJid): void {
    const ids = this.#deps.storage.transaction(() => this.#changes.takeLateOf(peer));
    for (const id of ids) this.#changed({ peer, id });
  }

  /** A line came once more under another id: its author speaks of it by that one from now on, and waits to hear that it came. */
  #noteAttempt(id: EventId, stanzaId: string | null, person: PersonId | null): boolean {
    const { directMessages } = this.#deps.storage;
    const row = directMessages.get(id);
    const isOther = stanzaId !== null && ATTEMPT.test(stanzaId) && row?.stanzaId !== stanzaId;
    return isOther && row?.person === person && directMessages.update(id, { stanzaId });
  }

  /** What we wrote on another device we have read there, and that device says so; not what came after. */
  #noteWrittenElsewhere(peer: BareJid, atMs: number): void {
    const { contacts, storage } = this.#deps;
    const readPosition = contacts.get(peer)?.readPosition ?? 0;
    if (!storage.directMessages.isUnreadSince(peer, readPosition, atMs)) this.#noteRead(peer, true);
  }

  #noteRead(peer: BareJid, isTold: boolean): void {
    const { contacts, directMessages } = this.#deps.storage;
    const [latest] = directMessages.newest(peer, 1);
    if (latest === undefined) return;
    const { position } = latest;
    contacts.update(peer, { readPosition: position, ...(isTold ? { toldPosition: position } : {}) });
  }

  #change(id: EventId, work: () => void): DirectMessageRow {
    this.#deps.storage.transaction(work);
    const row = this.#required(id);
    this.#changed(row);
    this.onQueued.emit();
    return row;
  }

  /** The line that is answered, if it is here, and the text without the quote of it. */
  #answer({ peer, marks }: IncomingMessage, text: string): Pick<DirectMessageRow, 'replyTo' | 'text'> {
    const lines = this.#deps.storage.directMessages;
    const id = marks?.answers ?? null;
    const answered = peer === null || id === null ? undefined : lines.ofStanza(peer, id);
    const quote = answered === undefined ? null : (marks?.quote ?? null);
    return { replyTo: answered?.id ?? null, text: quote === null ? text : withoutQuote(text, quote) };
  }

  #tell({ peer, marks }: IncomingMessage, changed: EventId | null, isReadable = true): void {
    if (peer === null) return;
    if (changed !== null) this.#changed({ peer, id: changed });
    const receipt = marks?.receipt ?? null;
    if (receipt !== null && isReadable) this.onHeard.emit({ peer, id: receipt });
  }

  #requireSayable(peer: BareJid, text: string): void {
    requireSayable(text);
    if (this.#deps.storage.blocked.has(peer)) throw new AppError('not-allowed', 'this person is blocked');
  }

  #changed({ peer, id }: TalkChange): void {
    this.onChange.emit({ peer, id });
    this.#deps.contacts.onChange.emit(peer);
  }

  #required(id: EventId): DirectMessageRow {
    const row = this.#deps.storage.directMessages.get(id);
    if (row === undefined) throw new AppError('not-found', 'no such line');
    return row;
  }

  #failed(id: EventId): DirectMessageRow {
    const row = this.#required(id);
    if (row.state !== 'failed') throw new AppError('not-found', 'no such failed line');
    return row;
  }
}

/** Which piece of a longer line it is. */
function partOf({ part }: IncomingMessage, { state, messageKey, text }: DirectLine): LinePart | undefined {
  if (part === undefined || messageKey === undefined || state !== 'received') return undefined;
  return toUtf8(text).length > MAX_LINE_BYTES ? undefined : openPart(messageKey, part);
}

/** What `retry` puts behind the id of a line. */
const ATTEMPT = /^([0-9a-f]{64})\.[0-9a-f]{16}$/;

/**
 * The same for every copy of a line: the live one, the carbon, the one of the archive, and the one that its author's
 * program sent again. An author who uses an id twice can only hide lines of their own.
 */
function lineId({ from, peer, id, archiveId, atMs }: IncomingMessage, { text, state }: DirectLine): EventId {
  const place = id?.match(ATTEMPT)?.[1] ?? id ?? archiveId ?? String(atMs);
  const parts = ['spherecast-talk-line-v1', from, peer ?? '', place, state, text];
  return parseEventId(createHash('sha256').update(JSON.stringify(parts)).digest('hex'));
}
