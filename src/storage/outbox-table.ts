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
  /** `failed`: nothing that happens by itself mends it. */
  readonly state: 'queued' | 'failed';
  /** How often it may have left. */
  readonly attempts: number;
  readonly atMs: number;
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
};

const QUEUED = ['id', 'sphereId', 'to', 'eventId', 'audience', 'attempts', 'atMs'] as const;

/** What is known of an entry that waits without opening it. */
export type QueuedEntry = Pick<OutboxRow, (typeof QUEUED)[number]>;

/** First in, first out: numbers grow and are never used again. */
export class OutboxTable {
  readonly #rows: Rows<OutboxRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'outbox', columns: COLUMNS, key: ['id'] });
  }

  /** Returns the new entry's number. */
  add(entry: Omit<OutboxRow, 'id'>): number {
    return this.#rows.insertNumbered(entry);
  }

  get(id: number): OutboxRow | undefined {
    return this.#rows.get({ id });
  }

  /** Everything that waits to be sent, oldest first; there may be very many. */
  queued(): QueuedEntry[] {
    return this.#rows.pick(QUEUED, "WHERE state = 'queued' ORDER BY id");
  }

  /** Oldest first. */
  list(state: OutboxRow['state']): OutboxRow[] {
    return this.#rows.select('WHERE state = @state ORDER BY id', { state });
  }

  byEvent(eventId: EventId): OutboxRow[] {
    return this.#rows.select('WHERE event_id = @eventId ORDER BY id', { eventId });
  }

  update(id: number, changes: Partial<Omit<OutboxRow, 'id'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: number): boolean {
    return this.#rows.remove({ id });
  }
}
