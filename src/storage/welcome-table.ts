import type { EventId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

const COLUMNS: Columns<{ readonly eventId: EventId }> = { eventId: text('event_id') };

/** Answers to invitations whose author was sent log and keys; going with their events. */
export class WelcomeTable {
  readonly #rows: Rows<{ readonly eventId: EventId }, 'eventId'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'welcome', columns: COLUMNS, key: ['eventId'] });
  }

  has(eventId: EventId): boolean {
    return this.#rows.has({ eventId });
  }

  /** The event must be there. */
  add(eventId: EventId): void {
    this.#rows.put({ eventId });
  }
}
