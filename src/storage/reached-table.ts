import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** A device of somebody has everything that the device `author` of ours said up to `sequence`. */
export interface ReachedRow {
  readonly sphereId: SphereId;
  readonly author: DeviceKey;
  readonly device: DeviceKey;
  readonly sequence: number;
}

const COLUMNS: Columns<ReachedRow> = {
  sphereId: text('sphere_id'),
  author: text('author'),
  device: text('device'),
  sequence: integer('sequence'),
};

export class ReachedTable {
  readonly #rows: Rows<ReachedRow, 'sphereId' | 'author' | 'device'>;

  constructor(deps: { database: Database }) {
    const key = ['sphereId', 'author', 'device'] as const;
    this.#rows = new Rows({ database: deps.database, table: 'reached', columns: COLUMNS, key });
  }

  list(sphereId: SphereId): ReachedRow[] {
    return this.#rows.select('WHERE sphere_id = @sphereId ORDER BY author, device', { sphereId });
  }

  put(row: ReachedRow): void {
    this.#rows.put(row);
  }
}
