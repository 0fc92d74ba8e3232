import type { BareJid } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** Our own XMPP login. */
export interface AccountRow {
  readonly jid: BareJid;
  readonly password: string;
  /** `host:port` instead of the domain's own records. */
  readonly server: string | null;
  /** PEM text of a certificate authority to trust besides the system's. */
  readonly ca: string | null;
}

interface KeptAccount extends AccountRow {
  readonly id: number;
  /** What we call ourselves towards the people on our list. */
  readonly nick: string | null;
}

const COLUMNS: Columns<KeptAccount> = {
  id: integer('id'),
  jid: text('jid'),
  password: sealedText('password'),
  server: nullable(text('server')),
  ca: nullable(text('ca')),
  nick: nullable(sealedText('nick')),
};

/** Holds at most one account. */
export class AccountTable {
  readonly #rows: Rows<KeptAccount, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'account', columns: COLUMNS, key: ['id'] });
  }

  get(): AccountRow | undefined {
    const row = this.#rows.get({ id: 1 });
    return row === undefined ? undefined : { jid: row.jid, password: row.password, server: row.server, ca: row.ca };
  }

  /** Another account has no nickname yet. */
  put(account: AccountRow): void {
    const before = this.#rows.get({ id: 1 });
    const nick = before?.jid === account.jid ? before.nick : null;
    this.#rows.put({ id: 1, ...account, nick });
  }

  get nick(): string | null {
    return this.#rows.get({ id: 1 })?.nick ?? null;
  }

  setNick(nick: string | null): void {
    this.#rows.update({ id: 1 }, { nick });
  }

  remove(): boolean {
    return this.#rows.remove({ id: 1 });
  }
}
