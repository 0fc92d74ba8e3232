import type { BareJid, EventId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** Something we did about a line of a talk that the other one has still to hear; what it is now stands in the line. */
export interface TalkWordRow {
  readonly position: number;
  /** The message goes out under this id. */
  readonly id: EventId;
  readonly peer: BareJid;
  readonly line: EventId;
  readonly kind: 'edit' | 'retract' | 'signs';
}

const COLUMNS: Columns<TalkWordRow> = {
  position: integer('position'),
  id: text('id'),
  peer: text('peer'),
  line: text('line'),
  kind: text('kind'),
};

/** Edits, retractions and signs of ours on their way. */
export class TalkWordTable {
  readonly #rows: Rows<TalkWordRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'talk_word', columns: COLUMNS, key: ['id'] });
  }

  /** In place of what waited to be said of the same kind about this line. */
  put(word: Omit<TalkWordRow, 'position'>): void {
    const { line, kind } = word;
    const before = this.#rows.select('WHERE line = @line AND kind = @kind', { line, kind });
    for (const { id } of before) this.#rows.remove({ id });
    this.#rows.insertNumbered(word);
  }

  /** In their order. */
  list(): TalkWordRow[] {
    return this.#rows.select('ORDER BY position');
  }

  has(id: EventId): boolean {
    return this.#rows.has({ id });
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }
}
