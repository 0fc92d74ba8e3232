import type { BareJid } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** What somebody looks like. */
export interface PortraitRow {
  readonly jid: BareJid;
  /** SHA-1 of the picture as they gave it. */
  readonly id: string;
  /** WebP that was drawn from it here. */
  readonly image: Uint8Array;
}

const COLUMNS: Columns<PortraitRow> = { jid: text('jid'), id: text('id'), image: sealedBytes('image') };

/** Pictures of people on our list, and our own. */
export class PortraitTable {
  readonly #rows: Rows<PortraitRow, 'jid'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'portrait', columns: COLUMNS, key: ['jid'] });
  }

  /** Whose picture is which. */
  list(): Pick<PortraitRow, 'jid' | 'id'>[] {
    return this.#rows.pick(['jid', 'id'], 'ORDER BY jid');
  }

  idOf(jid: BareJid): string | undefined {
    return this.#rows.pick(['id'], 'WHERE jid = @jid', { jid })[0]?.id;
  }

  image(id: string): Uint8Array | undefined {
    return this.#rows.selectOne('WHERE id = @id LIMIT 1', { id })?.image;
  }

  put(portrait: PortraitRow): void {
    this.#rows.put(portrait);
  }

  remove(jid: BareJid): boolean {
    return this.#rows.remove({ jid });
  }

  /** They go on under another address. */
  move(from: BareJid, to: BareJid): void {
    const row = this.#rows.get({ jid: from });
    if (row === undefined) return;
    this.put({ ...row, jid: to });
    this.remove(from);
  }
}
