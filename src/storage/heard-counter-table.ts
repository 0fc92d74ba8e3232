import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** The counter of the last ephemeral message that a device was heard with. */
export interface HeardCounterRow {
  readonly sphereId: SphereId;
  readonly device: DeviceKey;
  readonly counter: number;
}

const COLUMNS: Columns<HeardCounterRow> = {
  sphereId: text('sphere_id'),
  device: text('device'),
  counter: integer('counter'),
};

export class HeardCounterTable {
  readonly #rows: Rows<HeardCounterRow, 'sphereId' | 'device'>;

  constructor(deps: { database: Database }) {
    const key = ['sphereId', 'device'] as const;
    this.#rows = new Rows({ database: deps.database, table: 'heard_counter', columns: COLUMNS, key });
  }

  get(sphereId: SphereId, device: DeviceKey): number | undefined {
    return this.#rows.get({ sphereId, device })?.counter;
  }

  put(row: HeardCounterRow): void {
    this.#rows.put(row);
  }
}
