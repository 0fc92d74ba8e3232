import type { ErrorCode } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import type { MessageView } from '../contract/views.ts';
import type { Columns } from './columns.ts';
import { flag, integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

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
}

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
};

/** What was said one to one. Lists are oldest first. */
export class DirectMessageTable {
  readonly #database: Database;
  readonly #rows: Rows<DirectMessageRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'direct_message', columns: COLUMNS, key: ['id'] });
  }

  /** Returns false, and changes nothing, when the line is there already. */
  add(message: Omit<DirectMessageRow, 'position'>): boolean {
    if (this.#rows.has({ id: message.id })) return false;
    this.#rows.insertNumbered(message);
    return true;
  }

  get(id: EventId): DirectMessageRow | undefined {
    return this.#rows.get({ id });
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

  countUnread(peer: BareJid, readPosition: number): number {
    return this.#rows.count('peer = @peer AND mine = 0 AND position > @readPosition', { peer, readPosition });
  }

  /** What was said with somebody is shown with the address that they have now. */
  changePeer(from: BareJid, to: BareJid): void {
    this.#database.run('UPDATE direct_message SET peer = @to WHERE peer = @from', { from, to });
  }

  update(id: EventId, changes: Partial<Omit<DirectMessageRow, 'id' | 'position'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }
}
