import * as z from 'zod';
import type { ItemId } from '../base/id.ts';
import type { Segment } from '../contract/swarm.ts';
import { segmentSchema } from '../contract/swarm.ts';
import type { Columns } from './columns.ts';
import { sealedJson, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

interface LayoutRow {
  readonly itemId: ItemId;
  readonly layout: readonly Segment[];
}

const segments = z.array(segmentSchema);

const COLUMNS: Columns<LayoutRow> = {
  itemId: text('item_id'),
  layout: sealedJson<readonly Segment[]>('layout', (value) => segments.parse(value)),
};

/** Parts of layouts that are remembered, of all items together. */
const MOST_REMEMBERED = 100_000;

/**
 * Where the bytes of items are on this disk. That of a large folder is long: it is written only when it changes, and
 * what was read is remembered, because rows of items are asked for all the time.
 */
export class LayoutTable {
  readonly #database: Database;
  readonly #rows: Rows<LayoutRow, 'itemId'>;
  /** In the order in which they were last asked for. */
  readonly #known = new Map<ItemId, readonly Segment[] | null>();
  #remembered = 0;
  #undone = 0;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    const { database } = deps;
    // What was sealed in the row of its item stays as it is.
    const table = { table: 'item_layout', sealedAs: 'item' };
    this.#rows = new Rows({ database, ...table, columns: COLUMNS, key: ['itemId'] });
  }

  /** null = that is not decided yet. */
  get(itemId: ItemId): readonly Segment[] | null {
    this.#forgetUndone();
    const known = this.#known.get(itemId);
    const layout = known === undefined ? (this.#rows.get({ itemId })?.layout ?? null) : known;
    this.#remember(itemId, layout);
    return layout;
  }

  /** The same of many: those that are not remembered are read together. */
  getAll(itemIds: readonly ItemId[]): ReadonlyMap<ItemId, readonly Segment[] | null> {
    this.#forgetUndone();
    const layouts = new Map(itemIds.map((itemId) => [itemId, this.#known.get(itemId) ?? null]));
    for (const { itemId, layout } of this.#read(itemIds.filter((id) => !this.#known.has(id))))
      layouts.set(itemId, layout);
    // Only now: to remember one may mean to forget another.
    for (const [itemId, layout] of layouts) this.#remember(itemId, layout);
    return layouts;
  }

  put(itemId: ItemId, layout: readonly Segment[] | null): void {
    if (layout === null) this.#rows.remove({ itemId });
    else this.#rows.put({ itemId, layout });
    // Undone with its transaction, which the next `get` notices.
    this.#remember(itemId, layout);
  }

  forget(itemId: ItemId): void {
    this.#remembered -= sizeOf(this.#known.get(itemId));
    this.#known.delete(itemId);
  }

  #read(itemIds: readonly ItemId[]): LayoutRow[] {
    if (itemIds.length === 0) return [];
    const rest = 'WHERE item_id IN (SELECT value FROM json_each(@ids))';
    return this.#rows.select(rest, { ids: JSON.stringify(itemIds) });
  }

  #remember(itemId: ItemId, layout: readonly Segment[] | null): void {
    this.forget(itemId);
    this.#known.set(itemId, layout);
    this.#remembered += sizeOf(layout);
    if (this.#remembered <= MOST_REMEMBERED) return;
    for (const oldest of this.#known.keys()) {
      if (this.#remembered <= MOST_REMEMBERED || oldest === itemId) break;
      this.forget(oldest);
    }
  }

  #forgetUndone(): void {
    if (this.#undone === this.#database.undone) return;
    this.#undone = this.#database.undone;
    this.#known.clear();
    this.#remembered = 0;
  }
}

/** An item without a layout costs the memory too. */
const sizeOf = (layout: readonly Segment[] | null | undefined): number =>
  layout === undefined ? 0 : 1 + (layout?.length ?? 0);
