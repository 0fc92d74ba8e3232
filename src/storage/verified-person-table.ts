import type { BareJid, PersonId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface VerifiedPersonRow {
  readonly person: PersonId;
  /** The account they had when their number was compared. */
  readonly jid: BareJid;
  readonly atMs: number;
}

const COLUMNS: Columns<VerifiedPersonRow> = { person: text('person'), jid: text('jid'), atMs: integer('at_ms') };

/** The people whose number was compared and found to be theirs. */
export class VerifiedPersonTable {
  readonly #rows: Rows<VerifiedPersonRow, 'person'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'verified_person', columns: COLUMNS, key: ['person'] });
  }

  has(person: PersonId): boolean {
    return this.#rows.has({ person });
  }

  /** Whether anybody was verified under this address. */
  hasAccount(jid: BareJid): boolean {
    return this.#rows.count('jid = @jid', { jid }) > 0;
  }

  /** Who was verified under this address. */
  at(jid: BareJid): PersonId[] {
    return this.#rows.select('WHERE jid = @jid', { jid }).map(({ person }) => person);
  }

  put(row: VerifiedPersonRow): void {
    this.#rows.put(row);
  }

  /** The person has another account now. */
  move(person: PersonId, jid: BareJid): void {
    this.#rows.update({ person }, { jid });
  }

  remove(person: PersonId): boolean {
    return this.#rows.remove({ person });
  }

  /** What was compared under an address counts no more. */
  removeAccount(jid: BareJid): void {
    for (const person of this.at(jid)) this.#rows.remove({ person });
  }
}
