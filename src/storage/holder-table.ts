import type { DeviceKey, ItemId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

interface HolderRow {
  readonly itemId: ItemId;
  readonly device: DeviceKey;
}

const COLUMNS: Columns<HolderRow> = { itemId: text('item_id'), device: text('device') };

/** Devices of others that were seen with all of an item. */
export class HolderTable {
  readonly #rows: Rows<HolderRow, 'itemId' | 'device'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'holder', columns: COLUMNS, key: ['itemId', 'device'] });
  }

  /** Returns true the first time only. */
  add(itemId: ItemId, device: DeviceKey): boolean {
    return this.#rows.insertIfAbsent({ itemId, device });
  }

  list(itemId: ItemId): DeviceKey[] {
    return this.#rows.select('WHERE item_id = @itemId ORDER BY device', { itemId }).map(({ device }) => device);
  }

  itemsOf(device: DeviceKey): ItemId[] {
    return this.#rows.select('WHERE device = @device', { device }).map(({ itemId }) => itemId);
  }
}
