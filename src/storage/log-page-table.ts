import { errorCode } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

interface LogPageRow {
  readonly id: number;
  readonly sphereId: SphereId;
  readonly events: Uint8Array;
}

const COLUMNS: Columns<LogPageRow> = {
  id: integer('id'),
  sphereId: text('sphere_id'),
  events: sealedBytes('events'),
};

/** Events of logs as they were read before, many together. All of it can be made again from the events. */
export class LogPageTable {
  readonly #rows: Rows<LogPageRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'log_page', columns: COLUMNS, key: ['id'] });
  }

  add(sphereId: SphereId, events: Uint8Array): void {
    this.#rows.insertNumbered({ sphereId, events });
  }

  ids(sphereId: SphereId): number[] {
    return this.#rows.pick(['id'], 'WHERE sphere_id = @sphereId ORDER BY id', { sphereId }).map(({ id }) => id);
  }

  /** undefined when it is damaged, which is as good as none. */
  get(id: number): Uint8Array | undefined {
    try {
      return this.#rows.get({ id })?.events;
    } catch (error) {
      if (errorCode(error) !== 'database-damaged') throw error;
      return undefined;
    }
  }

  remove(id: number): boolean {
    return this.#rows.remove({ id });
  }
}
