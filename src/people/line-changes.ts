import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import { parseEventId } from '../base/id.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { RandomBytes } from '../base/random.ts';
import type { DirectLine } from '../spheres/direct-talk.ts';
import type { IncomingMessage } from '../spheres/incoming-message.ts';
import type { DirectMessageRow, TalkSigns } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { TalkWordRow } from '../storage/talk-word-table.ts';
import { signsIn } from '../xmpp/xep/0444-reactions.ts';
import { isRetraction, signsOf, withoutQuote } from './compose-line.ts';

interface LineChangesDeps {
  readonly storage: Storage;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

type Side = 'mine' | 'theirs';

/** When something was done about a line; `isLive`: just now. */
interface Moment {
  readonly atMs: number;
  readonly isLive: boolean;
}

/** Where words came from. */
type Origin = Pick<DirectMessageRow, 'encrypted' | 'person'>;

/** A line by what its author calls it. */
interface Named {
  readonly peer: BareJid;
  readonly side: Side;
  readonly stanzaId: string;
}

/** Lines that were taken back before they came: the oldest are forgotten when there are more. */
const MAX_EARLY = 200;
const NO_SIGNS: TalkSigns = { mine: [], theirs: [], mineAtMs: 0, theirsAtMs: 0 };

/** What is done about lines after they were said: other words, none at all, signs on them. */
export class LineChanges {
  readonly #deps: LineChangesDeps;
  /** Who took lines back that have not come. */
  readonly #early = new Map<string, Named & { readonly by: Origin }>();

  constructor(deps: LineChangesDeps) {
    this.#deps = deps;
  }

  /**
   * Does what the message says about a line before; undefined when it is a line by itself. A line is its author's alone,
   * and whoever cannot write encrypted cannot change what was: a server could write that. `person` is who stands behind it.
   */
  take(
    message: IncomingMessage,
    line: DirectLine,
    person: PersonId | null,
  ): { readonly changed: EventId | null } | undefined {
    const { marks, peer, from } = message;
    if (marks === undefined || peer === null || line.state !== 'received') return undefined;
    const side = from === this.#deps.own ? 'mine' : 'theirs';
    const wanted = marks.retracts ?? marks.corrects ?? (marks.isSigns ? marks.answers : null);
    if (wanted === null) return undefined;
    const isSigns = marks.retracts === null && marks.corrects === null;
    const target = this.#lines.ofStanza(peer, wanted, isSigns ? 'either' : side);
    const by = { encrypted: line.encrypted, person };
    if (target === undefined) {
      // What was meant to replace a line that is not here is said all the same; what takes it away waits for it.
      if (marks.retracts === null) return undefined;
      if (isRetraction(line.text)) this.#remember({ peer, side, stanzaId: wanted }, by);
      return { changed: null };
    }
    if (!isReadable(target) || !(isSigns ? isAsSafe(target, by) : mayChange(target, by))) return undefined;
    const when = { atMs: message.atMs, isLive: marks.isLive };
    const text = textOf(message, line);
    const signs = isSigns ? signsOf(text) : [];
    if (signs === undefined || (marks.retracts !== null && !isRetraction(text))) return undefined;
    if (marks.retracts !== null) this.#clear(target, when.atMs);
    else if (isSigns) this.sign(target, side, { signs, ...when });
    else this.#replace(target, { text, ...when });
    return { changed: target.id };
  }

  /** A line has come: if its author took it back before, that is heard now. Whether it was. */
  takeLate(id: EventId): boolean {
    const row = this.#lines.get(id);
    if (row === undefined || row.stanzaId === null || !isReadable(row)) return false;
    const key = keyOf({ peer: row.peer, side: row.mine ? 'mine' : 'theirs', stanzaId: row.stanzaId });
    const by = this.#early.get(key)?.by;
    if (by === undefined || !mayChange(row, by)) return false;
    this.#early.delete(key);
    this.#clear(row, row.atMs);
    return true;
  }

  /** All lines of somebody came to this address, at which they may have taken some back before. Which of them. */
  takeLateOf(peer: BareJid): EventId[] {
    const early = [...this.#early.values()].filter((one) => one.peer === peer);
    const rows = early.flatMap(({ stanzaId, side }) => this.#lines.ofStanza(peer, stanzaId, side) ?? []);
    return rows.map(({ id }) => id).filter((id) => this.takeLate(id));
  }

  /** Puts all signs of one side on a line; older ones than those that are there do not count. */
  sign(target: DirectMessageRow, side: Side, { signs, ...when }: { signs: readonly string[] } & Moment): boolean {
    const known = this.#lines.get(target.id)?.signs ?? NO_SIGNS;
    const key = side === 'mine' ? 'mineAtMs' : 'theirsAtMs';
    const atMs = momentAfter(known[key], when);
    if (target.change === 'retracted' || atMs < known[key]) return false;
    return this.#lines.update(target.id, { signs: { ...known, [side]: signs, [key]: atMs } });
  }

  /** Another text for a line of ours. */
  edit(id: EventId, text: string): void {
    const row = this.#own(id);
    if (row.change === 'retracted') throw new AppError('not-found', 'the line was taken back');
    this.#replace(row, { text, atMs: this.#deps.clock.now(), isLive: true });
    this.#say('edit', row);
  }

  /** Takes a line of ours back, here and there: its words are gone at once. */
  retract(id: EventId): void {
    const row = this.#own(id);
    this.#clear(row, this.#deps.clock.now());
    this.#say('retract', row);
  }

  react(id: EventId, signs: readonly string[]): void {
    const row = this.#lines.get(id);
    if (row === undefined || !isReadable(row)) throw new AppError('not-found', 'no such line');
    this.sign(row, 'mine', { signs: signsIn(signs), atMs: this.#deps.clock.now(), isLive: true });
    this.#say('signs', row);
  }

  get #lines() {
    return this.#deps.storage.directMessages;
  }

  #own(id: EventId): DirectMessageRow {
    const row = this.#lines.get(id);
    if (row === undefined) throw new AppError('not-found', 'no such line');
    if (!row.mine) throw new AppError('not-allowed', 'somebody else wrote this line');
    if (row.state === 'failed') throw new AppError('not-allowed', 'the line did not go out');
    return row;
  }

  #remember(named: Named, by: Origin): void {
    const [oldest] = this.#early.keys();
    if (this.#early.size >= MAX_EARLY && oldest !== undefined) this.#early.delete(oldest);
    this.#early.set(keyOf(named), { ...named, by });
  }

  #replace(row: DirectMessageRow, { text, ...when }: { text: string } & Moment): void {
    const atMs = momentAfter(row.changedAtMs, when);
    if (row.change === 'retracted' || atMs < row.changedAtMs) return;
    this.#lines.update(row.id, { text, change: 'edited', changedAtMs: atMs });
    this.#forgetPieces(row);
  }

  #clear(row: DirectMessageRow, atMs: number): void {
    this.#lines.update(row.id, { text: '', change: 'retracted', changedAtMs: atMs, signs: null, replyTo: null });
    this.#forgetPieces(row);
  }

  /** Of a long line that is still coming: what it said before is gone, and so is what comes of it later. */
  #forgetPieces({ id }: DirectMessageRow): void {
    const { talkParts } = this.#deps.storage;
    if (talkParts.isOpen(id)) talkParts.close(id, this.#deps.clock.now());
  }

  #say(kind: TalkWordRow['kind'], { id: line, peer }: DirectMessageRow): void {
    const id = parseEventId(toHex(this.#deps.random(32)));
    this.#deps.storage.talkWords.put({ id, peer, line, kind });
  }
}

/** What is done just now comes after all that is known, however much the clocks of machines and servers differ. */
function momentAfter(knownMs: number, { atMs, isLive }: Moment): number {
  return isLive ? Math.max(atMs, knownMs + 1) : atMs;
}

function keyOf({ peer, side, stanzaId }: Named): string {
  return `${peer}\0${side}\0${stanzaId}`;
}

function isAsSafe(target: Origin, by: Origin): boolean {
  return by.encrypted || !target.encrypted;
}

/** Its server can add a device to an account: what a person certainly said nobody else changes. */
function mayChange(target: Origin, by: Origin): boolean {
  return isAsSafe(target, by) && (target.person === null || target.person === by.person);
}

function isReadable({ state }: DirectMessageRow): boolean {
  return state !== 'undecryptable' && state !== 'forged';
}

function textOf({ marks }: IncomingMessage, { text }: DirectLine): string {
  return marks?.quote === undefined || marks.quote === null ? text : withoutQuote(text, marks.quote);
}
