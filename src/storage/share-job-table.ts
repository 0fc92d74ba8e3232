import type { ItemId, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { blob, flag, integer, nullable, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** A share that was begun and is not announced yet. */
export interface ShareJobRow {
  readonly id: string;
  readonly sphereId: SphereId;
  /** Absolute, as the person named it. */
  readonly path: string;
  readonly plain: boolean;
  /** The link in the sphere's folder; null = none was made. */
  readonly link: string | null;
  /** What the item's bytes are, with their key; null until its files were looked at. */
  readonly draft: Uint8Array | null;
  /** SHA-1 of the first pieces of the draft. */
  readonly pieces: Uint8Array;
  /** The item that gets a new key by it; null = something new is shared. */
  readonly replaces: ItemId | null;
  readonly begunAtMs: number;
}

const COLUMNS: Columns<ShareJobRow> = {
  id: text('id'),
  sphereId: text('sphere_id'),
  path: text('path'),
  plain: flag('plain'),
  link: nullable(text('link')),
  draft: nullable(sealedBytes('draft')),
  pieces: blob('pieces'),
  replaces: nullable(text<ItemId>('replaces')),
  begunAtMs: integer('begun_at_ms'),
};

export class ShareJobTable {
  readonly #rows: Rows<ShareJobRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'share_job', columns: COLUMNS, key: ['id'] });
  }

  get(id: string): ShareJobRow | undefined {
    return this.#rows.get({ id });
  }

  /** In the order they were begun. */
  list(): ShareJobRow[] {
    return this.#rows.select('ORDER BY begun_at_ms, rowid');
  }

  put(job: ShareJobRow): void {
    this.#rows.put(job);
  }

  update(id: string, changes: Partial<Omit<ShareJobRow, 'id'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: string): boolean {
    return this.#rows.remove({ id });
  }
}
