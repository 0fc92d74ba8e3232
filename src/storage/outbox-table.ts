import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, json, nullable, sealedBytes, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** An event on its way out. Ciphertext is made at sending, so that it fits the recipients of that moment. */
export interface OutboxRow {
  readonly id: number;
  /** null for what goes to one person outside any sphere. */
  readonly sphereId: SphereId | null;
  readonly to: BareJid;
  readonly eventId: EventId;
  readonly envelope: Uint8Array;
  /** Who must be able to read it, as its owner describes it; plain JSON. */
  readonly audience: unknown;
  /** The line ordinary clients show; null for technical events. */
  readonly line: string | null;
  readonly state: 'queued' | 'sent' | 'delivered';
  readonly attempts: number;
  readonly atMs: number;
  readonly stanzaId: string | null;
}

const COLUMNS: Columns<OutboxRow> = {
  id: integer('id'),
  sphereId: nullable(text<SphereId>('sphere_id')),
  to: text('recipient'),
  eventId: text('event_id'),
  envelope: sealedBytes('envelope'),
  audience: json('audience', (value) => value),
  line: nullable(sealedText('line')),
  state: text('state'),
  attempts: integer('attempts'),
  atMs: integer('at_ms'),
  stanzaId: nullable(text('stanza_id')),
};

/** First in, first out: numbers grow and are never used again. */
export class OutboxTable {
  readonly #database: Database;
  readonly #rows: Rows<OutboxRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'outbox', columns: COLUMNS, key: ['id'] });
  }

  /** Returns the new entry's number. */
  add(entry: Omit<OutboxRow, 'id'>): number {
    return this.#rows.insertNumbered(entry);
  }

  get(id: number): OutboxRow | undefined {
    return this.#rows.get({ id });
  }

  /** The oldest entry that waits to be sent. */
  next(): OutboxRow | undefined {
    return this.#rows.selectOne("WHERE state = 'queued' ORDER BY id LIMIT 1");
  }

  /** Oldest first. */
  list(state: OutboxRow['state']): OutboxRow[] {
    return this.#rows.select('WHERE state = @state ORDER BY id', { state });
  }

  listOfSphere(sphereId: SphereId): OutboxRow[] {
    return this.#rows.select('WHERE sphere_id = @sphereId ORDER BY id', { sphereId });
  }

  byEvent(eventId: EventId): OutboxRow[] {
    return this.#rows.select('WHERE event_id = @eventId ORDER BY id', { eventId });
  }

  byStanza(stanzaId: string): OutboxRow | undefined {
    return this.#rows.selectOne('WHERE stanza_id = @stanzaId ORDER BY id DESC LIMIT 1', { stanzaId });
  }

  update(id: number, changes: Partial<Omit<OutboxRow, 'id'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  /** After a lost connection: what was sent but not confirmed goes out again. Returns how many. */
  requeueSent(): number {
    return this.#database.run("UPDATE outbox SET state = 'queued' WHERE state = 'sent'").changes;
  }

  count(state: OutboxRow['state']): number {
    return this.#rows.count('state = @state', { state });
  }

  /** A sphere that was left: what has not gone out by then never will. Returns how many. */
  dropQueued(sphereId: SphereId): number {
    const sql = "DELETE FROM outbox WHERE sphere_id = @sphereId AND state = 'queued'";
    return this.#database.run(sql, { sphereId }).changes;
  }

  remove(id: number): boolean {
    return this.#rows.remove({ id });
  }
}
