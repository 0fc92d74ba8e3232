import * as z from 'zod';
import type { InfoHash, ItemId, SphereId } from '../base/id.ts';
import type { Segment } from '../contract/swarm.ts';
import type { ItemState, LimitsView, Priority } from '../contract/views.ts';
import { limitsSchema } from '../contract/views.ts';
import type { Columns, SqlValue } from './columns.ts';
import { blob, flag, integer, json, nullable, repeated, text } from './columns.ts';
import type { Database } from './database.ts';
import { LayoutTable } from './layout-table.ts';
import { Rows } from './rows.ts';

/** What this device has of an item; what the item is stands in its event. */
export interface ItemRow {
  readonly itemId: ItemId;
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly state: ItemState;
  readonly wanted: boolean;
  readonly paused: boolean;
  readonly bytesHave: number;
  /** Verified pieces in BEP 3 bit order; null = none. */
  readonly bitfield: Uint8Array | null;
  /** Absolute path of the item on this disk. */
  readonly path: string | null;
  /** Where the torrent's bytes are on this disk; null until that is decided. */
  readonly layout: readonly Segment[] | null;
  readonly updatedAtMs: number;
  /** When it was taken off the list of this device; 0 = it is on it. */
  readonly removedAtMs: number;
  /** When this device learned that it was deleted for everybody; 0 = it was not. */
  readonly deletedAtMs: number;
  /** The files that are wanted, by their numbers; null = all. */
  readonly chosen: readonly number[] | null;
  readonly priority: Priority;
  readonly limits: LimitsView;
}

/** Neither removed from the list of this device nor deleted for everybody. */
export function isOnList({ removedAtMs, deletedAtMs }: Pick<ItemRow, 'removedAtMs' | 'deletedAtMs'>): boolean {
  return removedAtMs === 0 && deletedAtMs === 0;
}

const ON_LIST = 'removed_at_ms = 0 AND deleted_at_ms = 0';

/** All but the layout, which is in a table of its own. */
type BareRow = Omit<ItemRow, 'layout'>;

const COLUMNS: Columns<BareRow> = {
  itemId: text('item_id'),
  sphereId: text('sphere_id'),
  infoHash: text('info_hash'),
  state: text('state'),
  wanted: flag('wanted'),
  paused: flag('paused'),
  bytesHave: integer('bytes_have'),
  bitfield: nullable(blob('bitfield')),
  path: nullable(text('path')),
  updatedAtMs: integer('updated_at_ms'),
  removedAtMs: integer('removed_at_ms'),
  deletedAtMs: integer('deleted_at_ms'),
  chosen: nullable(json<readonly number[]>('chosen', (value) => z.array(z.number().int()).parse(value))),
  priority: text('priority'),
  limits: repeated(json('limits', (value) => limitsSchema.parse(value))),
};

export class ItemTable {
  readonly #database: Database;
  readonly #rows: Rows<BareRow, 'itemId'>;
  readonly #layouts: LayoutTable;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'item', columns: COLUMNS, key: ['itemId'] });
    this.#layouts = new LayoutTable(deps);
  }

  get(itemId: ItemId): ItemRow | undefined {
    const row = this.#rows.get({ itemId });
    return row === undefined ? undefined : { ...row, layout: this.#layouts.get(itemId) };
  }

  has(itemId: ItemId): boolean {
    return this.#rows.has({ itemId });
  }

  byInfoHash(infoHash: InfoHash): ItemRow[] {
    return this.#select('WHERE info_hash = @infoHash ORDER BY item_id', { infoHash });
  }

  list(sphereId: SphereId): ItemRow[] {
    return this.#select('WHERE sphere_id = @sphereId ORDER BY item_id', { sphereId });
  }

  atPath(sphereId: SphereId, path: string): ItemRow[] {
    return this.#select('WHERE sphere_id = @sphereId AND path = @path ORDER BY item_id', { sphereId, path });
  }

  listAll(): ItemRow[] {
    return this.#select('ORDER BY sphere_id, item_id');
  }

  /** Of all spheres. */
  states(): ReadonlyMap<ItemId, ItemState> {
    return new Map(this.#rows.pick(['itemId', 'state'], '').map(({ itemId, state }) => [itemId, state]));
  }

  /** Of all spheres, what is to be fetched or served; what was taken off the list is neither. */
  listWanted(): ItemRow[] {
    return this.#select(`WHERE wanted = 1 AND ${ON_LIST} ORDER BY sphere_id, item_id`);
  }

  /** Those of which not everything is here as it should be. */
  listUnfinished(): ItemRow[] {
    const where = `wanted = 1 AND ${ON_LIST} AND state NOT IN ('complete', 'sharing')`;
    return this.#select(`WHERE ${where} ORDER BY sphere_id, item_id`);
  }

  /** Whether a wanted item is paused, or runs; what was taken off the list does neither. Ends at the first: it is asked often. */
  hasWanted(paused: boolean): boolean {
    const where = `WHERE wanted = 1 AND paused = ${paused ? 1 : 0} AND ${ON_LIST} LIMIT 1`;
    return this.#rows.pick(['itemId'], where).length > 0;
  }

  countOffList(sphereId: SphereId): number {
    return this.#rows.count(`sphere_id = @sphereId AND NOT (${ON_LIST})`, { sphereId });
  }

  /** Of all spheres, those deleted for everybody of which this device knew before that moment. */
  listDeletedBefore(ms: number): ItemRow[] {
    return this.#select('WHERE deleted_at_ms > 0 AND deleted_at_ms <= @ms ORDER BY item_id', { ms });
  }

  put({ layout, ...row }: ItemRow): void {
    this.#database.transaction(() => {
      this.#rows.put(row);
      this.#layouts.put(row.itemId, layout);
    });
  }

  update(itemId: ItemId, { layout, ...changes }: Partial<Omit<ItemRow, 'itemId'>>): boolean {
    if (layout === undefined) return this.#rows.update({ itemId }, changes);
    return this.#database.transaction(() => {
      const isThere = this.#rows.update({ itemId }, changes);
      if (isThere) this.#layouts.put(itemId, layout);
      return isThere;
    });
  }

  remove(itemId: ItemId): boolean {
    this.#layouts.forget(itemId);
    return this.#rows.remove({ itemId });
  }

  #select(rest: string, parameters: Readonly<Record<string, SqlValue>> = {}): ItemRow[] {
    const rows = this.#rows.select(rest, parameters);
    const layouts = this.#layouts.getAll(rows.map(({ itemId }) => itemId));
    // Not copied: there may be ten thousand of them.
    return rows.map((row) => Object.assign(row, { layout: layouts.get(row.itemId) ?? null }));
  }
}
