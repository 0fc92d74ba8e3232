import type { DeviceKey, ItemId, SphereId } from '../base/id.ts';
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

  /** Of all items of a sphere that have any. */
  bySphere(sphereId: SphereId): ReadonlyMap<ItemId, DeviceKey[]> {
    const rest = 'WHERE item_id IN (SELECT item_id FROM item WHERE sphere_id = @sphereId) ORDER BY item_id, device';
    const rows = Map.groupBy(this.#rows.select(rest, { sphereId }), ({ itemId }) => itemId);
    return new Map([...rows].map(([itemId, some]) => [itemId, some.map(({ device }) => device)]));
  }

  itemsOf(device: DeviceKey): ItemId[] {
    return this.#rows.select('WHERE device = @device', { device }).map(({ itemId }) => itemId);
  }
}
