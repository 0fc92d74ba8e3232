import type { BareJid } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

const COLUMNS: Columns<{ readonly jid: BareJid }> = { jid: text('jid') };

/** Whom nothing is taken from, also while the server cannot be asked. */
export class BlockedTable {
  readonly #rows: Rows<{ readonly jid: BareJid }, 'jid'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'blocked', columns: COLUMNS, key: ['jid'] });
  }

  has(jid: BareJid): boolean {
    return this.#rows.has({ jid });
  }

  list(): BareJid[] {
    return this.#rows.select('ORDER BY jid').map(({ jid }) => jid);
  }

  /** Returns true the first time only. */
  add(jid: BareJid): boolean {
    return this.#rows.insertIfAbsent({ jid });
  }

  remove(jid: BareJid): boolean {
    return this.#rows.remove({ jid });
  }
}
