import type { ItemId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface PlaybackRow {
  readonly itemId: ItemId;
  /** Index of the file in the item. */
  readonly file: number;
  readonly positionMs: number;
}

const COLUMNS: Columns<PlaybackRow> = {
  itemId: text('item_id'),
  file: integer('file'),
  positionMs: integer('position_ms'),
};

/** Where the person stopped watching or listening; goes with its item. */
export class PlaybackTable {
  readonly #rows: Rows<PlaybackRow, 'itemId' | 'file'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'playback', columns: COLUMNS, key: ['itemId', 'file'] });
  }

  /** Milliseconds; 0 when nothing is kept. */
  get(itemId: ItemId, file: number): number {
    return this.#rows.get({ itemId, file })?.positionMs ?? 0;
  }

  put(row: PlaybackRow): void {
    this.#rows.put(row);
  }

  remove(itemId: ItemId, file: number): boolean {
    return this.#rows.remove({ itemId, file });
  }
}
