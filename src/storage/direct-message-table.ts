import type { ErrorCode } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import type { MessageView } from '../contract/views.ts';
import type { Columns } from './columns.ts';
import { flag, integer, nullable, sealedJson, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** The signs of both on one line. Each has a moment: what is older does not count any more. */
export interface TalkSigns {
  readonly mine: readonly string[];
  readonly theirs: readonly string[];
  readonly mineAtMs: number;
  readonly theirsAtMs: number;
}

/** One line between us and one person. */
export interface DirectMessageRow {
  /** Counts arrivals: lines stand in this order. */
  readonly position: number;
  readonly id: EventId;
  readonly peer: BareJid;
  readonly mine: boolean;
  /** The id its author's program gave it. */
  readonly stanzaId: string | null;
  readonly text: string;
  readonly atMs: number;
  readonly state: MessageView['state'];
  /** Why it is `failed`. */
  readonly failure: ErrorCode | null;
  readonly encrypted: boolean;
  /** Whose certified device it came from; null = whoever has the account, or the server. */
  readonly person: PersonId | null;
  /** Its author wants to hear when we have read it. */
  readonly markable: boolean;
  readonly change: MessageView['change'];
  /** When it was changed last. */
  readonly changedAtMs: number;
  /** The line that it answers. */
  readonly replyTo: EventId | null;
  readonly signs: TalkSigns | null;
}

/** A line as it comes: what is left out is not so yet. */
type NewLine = Omit<DirectMessageRow, 'position' | 'markable' | 'change' | 'changedAtMs' | 'replyTo' | 'signs'> &
  Partial<Pick<DirectMessageRow, 'markable' | 'replyTo'>>;

const COLUMNS: Columns<DirectMessageRow> = {
  position: integer('position'),
  id: text('id'),
  peer: text('peer'),
  mine: flag('mine'),
  stanzaId: nullable(text('stanza_id')),
  text: sealedText('text'),
  atMs: integer('at_ms'),
  state: text('state'),
  failure: nullable(text<ErrorCode>('failure')),
  encrypted: flag('encrypted'),
  person: nullable(text<PersonId>('person')),
  markable: flag('markable'),
  change: text('change'),
  changedAtMs: integer('changed_at_ms'),
  replyTo: nullable(text('reply_to')),
  signs: nullable(sealedJson('signs', (value) => value as TalkSigns)),
};

const UNTOUCHED = { markable: false, change: 'none', changedAtMs: 0, replyTo: null, signs: null } as const;

/** What was said one to one. Lists are oldest first. */
export class DirectMessageTable {
  readonly #database: Database;
  readonly #rows: Rows<DirectMessageRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'direct_message', columns: COLUMNS, key: ['id'] });
  }

  /** Returns false, and changes nothing, when the line is there already. */
  add(message: NewLine): boolean {
    if (this.#rows.has({ id: message.id })) return false;
    this.#rows.insertNumbered({ ...UNTOUCHED, ...message });
    return true;
  }

  get(id: EventId): DirectMessageRow | undefined {
    return this.#rows.get({ id });
  }

  /** The line of this person, or of ours to them, that went out under this id. */
  ofStanza(
    peer: BareJid,
    stanzaId: string,
    author: 'mine' | 'theirs' | 'either' = 'either',
  ): DirectMessageRow | undefined {
    const by = { mine: 'AND mine = 1', theirs: 'AND mine = 0', either: '' }[author];
    const rest = `WHERE peer = @peer AND stanza_id = @stanzaId ${by} ORDER BY position DESC LIMIT 1`;
    return this.#rows.selectOne(rest, { peer, stanzaId });
  }

  /** Of theirs the newest in this range whose author wants to hear that we read it. */
  newestMarkable(peer: BareJid, after: number, until: number): DirectMessageRow | undefined {
    const range = 'position > @after AND position <= @until';
    const rest = `WHERE peer = @peer AND mine = 0 AND markable = 1 AND ${range} ORDER BY position DESC LIMIT 1`;
    return this.#rows.selectOne(rest, { peer, after, until });
  }

  /** Of theirs the newest in this range that can be spoken of. */
  newestNamed(peer: BareJid, after: number, until: number): DirectMessageRow | undefined {
    const range = 'position > @after AND position <= @until';
    const rest = `WHERE peer = @peer AND mine = 0 AND stanza_id IS NOT NULL AND ${range} ORDER BY position DESC LIMIT 1`;
    return this.#rows.selectOne(rest, { peer, after, until });
  }

  /** Lines of ours up to this place that have left and are not known to be read, newest first. */
  unseen(peer: BareJid, until: number): Pick<DirectMessageRow, 'id' | 'peer'>[] {
    const rest = "WHERE peer = @peer AND mine = 1 AND position <= @until AND state IN ('sent', 'delivered')";
    return this.#rows.pick(['id', 'peer'], `${rest} ORDER BY position DESC`, { peer, until });
  }

  newest(peer: BareJid, limit: number): DirectMessageRow[] {
    return this.before(peer, Number.MAX_SAFE_INTEGER, limit);
  }

  after(peer: BareJid, position: number, limit: number): DirectMessageRow[] {
    const rest = 'WHERE peer = @peer AND position > @position ORDER BY position LIMIT @limit';
    return this.#rows.select(rest, { peer, position, limit });
  }

  before(peer: BareJid, position: number, limit: number): DirectMessageRow[] {
    const rest = 'WHERE peer = @peer AND position < @position ORDER BY position DESC LIMIT @limit';
    return this.#rows.select(rest, { peer, position, limit }).toReversed();
  }

  /** The line itself in the middle of `limit` lines. */
  around(peer: BareJid, position: number, limit: number): DirectMessageRow[] {
    const before = this.before(peer, position, Math.floor(limit / 2));
    return [...before, ...this.after(peer, before.at(-1)?.position ?? 0, limit - before.length)];
  }

  /** Of all talks the `limit` lines that arrived right before this one, newest first. */
  arrivedBefore(position: number, limit: number): DirectMessageRow[] {
    return this.#rows.select('WHERE position < @position ORDER BY position DESC LIMIT @limit', { position, limit });
  }

  /** Everything that waits to be sent, to whomever. */
  queued(): DirectMessageRow[] {
    return this.#rows.select("WHERE state = 'queued' ORDER BY position");
  }

  count(peer: BareJid): number {
    return this.#rows.count('peer = @peer', { peer });
  }

  /** Whether a device of this person has written to us from that address. */
  hasFrom(peer: BareJid, person: PersonId): boolean {
    return this.#rows.count('peer = @peer AND mine = 0 AND person = @person', { peer, person }) > 0;
  }

  countUnread(peer: BareJid, readPosition: number): number {
    return this.#rows.count('peer = @peer AND mine = 0 AND position > @readPosition', { peer, readPosition });
  }

  /** Whether one of theirs that nobody has read is later than this. */
  isUnreadSince(peer: BareJid, readPosition: number, atMs: number): boolean {
    const unread = 'peer = @peer AND mine = 0 AND position > @readPosition AND at_ms > @atMs';
    return this.#rows.count(unread, { peer, readPosition, atMs }) > 0;
  }

  /** What was said with somebody is shown with the address that they have now. */
  changePeer(from: BareJid, to: BareJid): void {
    this.#database.run('UPDATE direct_message SET peer = @to WHERE peer = @from', { from, to });
    // What is still to be said about these lines goes there too.
    this.#database.run('UPDATE talk_word SET peer = @to WHERE peer = @from', { from, to });
  }

  update(id: EventId, changes: Partial<Omit<DirectMessageRow, 'id' | 'position'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }
}
