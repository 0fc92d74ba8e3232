import type { EventId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** What travels beside an event: metainfo, preview, wrapped keys. */
export interface AttachmentRow {
  readonly eventId: EventId;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

const COLUMNS: Columns<AttachmentRow> = {
  eventId: text('event_id'),
  kind: text('kind'),
  bytes: sealedBytes('bytes'),
};

export class AttachmentTable {
  readonly #rows: Rows<AttachmentRow, 'eventId' | 'kind'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'attachment', columns: COLUMNS, key: ['eventId', 'kind'] });
  }

  get(eventId: EventId, kind: string): Uint8Array | undefined {
    return this.#rows.get({ eventId, kind })?.bytes;
  }

  has(eventId: EventId, kind: string): boolean {
    return this.#rows.has({ eventId, kind });
  }

  list(eventId: EventId): AttachmentRow[] {
    return this.#rows.select('WHERE event_id = @eventId ORDER BY kind', { eventId });
  }

  /** Of many events, those that have one of this kind. */
  some(eventIds: readonly EventId[], kind: string): AttachmentRow[] {
    const rest = 'WHERE kind = @kind AND event_id IN (SELECT value FROM json_each(@ids))';
    return this.#rows.select(rest, { kind, ids: JSON.stringify(eventIds) });
  }

  put(attachment: AttachmentRow): void {
    this.#rows.put(attachment);
  }

  remove(eventId: EventId, kind: string): boolean {
    return this.#rows.remove({ eventId, kind });
  }
}
