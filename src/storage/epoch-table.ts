import type { EventId, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface EpochRow {
  readonly sphereId: SphereId;
  readonly epochId: string;
  readonly key: Uint8Array;
  /** The event that started the epoch. */
  readonly eventId: EventId;
  readonly number: number;
}

const COLUMNS: Columns<EpochRow> = {
  sphereId: text('sphere_id'),
  epochId: text('epoch_id'),
  key: sealedBytes('key'),
  eventId: text('event_id'),
  number: integer('number'),
};

export class EpochTable {
  readonly #rows: Rows<EpochRow, 'sphereId' | 'epochId'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'epoch', columns: COLUMNS, key: ['sphereId', 'epochId'] });
  }

  get(sphereId: SphereId, epochId: string): EpochRow | undefined {
    return this.#rows.get({ sphereId, epochId });
  }

  /** Newest first. */
  list(sphereId: SphereId): EpochRow[] {
    return this.#rows.select('WHERE sphere_id = @sphereId ORDER BY number DESC, epoch_id', { sphereId });
  }

  put(epoch: EpochRow): void {
    this.#rows.put(epoch);
  }

  remove(sphereId: SphereId, epochId: string): boolean {
    return this.#rows.remove({ sphereId, epochId });
  }
}
