import type { BareJid } from '../base/id.ts';
import type { ContactView } from '../contract/people.ts';
import type { Columns } from './columns.ts';
import { flag, integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface ContactRow {
  readonly jid: BareJid;
  /** `met`: we talked, and they are not on our list. `request`: they write or ask, and we have not answered. */
  readonly standing: ContactView['standing'];
  /** What we call them. */
  readonly name: string | null;
  /** What they call themselves. */
  readonly nick: string | null;
  readonly subscription: ContactView['subscription'];
  /** We asked to see when they are online. */
  readonly asked: boolean;
  /** They asked the same of us. */
  readonly wants: boolean;
  /** SHA-1 of their picture, as they tell it. */
  readonly avatar: string | null;
  readonly sinceMs: number;
  /** Lines up to this place were read. */
  readonly readPosition: number;
  /** Lines up to this place they know that we read, as far as they may, and our other devices. */
  readonly toldPosition: number;
  /** Whether their program says what has come. */
  readonly tells: boolean;
}

const COLUMNS: Columns<ContactRow> = {
  jid: text('jid'),
  standing: text('standing'),
  name: nullable(sealedText('name')),
  nick: nullable(sealedText('nick')),
  subscription: text('subscription'),
  asked: flag('asked'),
  wants: flag('wants'),
  avatar: nullable(text('avatar')),
  sinceMs: integer('since_ms'),
  readPosition: integer('read_position'),
  toldPosition: integer('told_position'),
  tells: flag('tells'),
};

/** People outside of spheres. */
export class ContactTable {
  readonly #rows: Rows<ContactRow, 'jid'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'contact', columns: COLUMNS, key: ['jid'] });
  }

  get(jid: BareJid): ContactRow | undefined {
    return this.#rows.get({ jid });
  }

  list(): ContactRow[] {
    return this.#rows.select('ORDER BY since_ms, jid');
  }

  /** Oldest first. */
  withStanding(standing: ContactRow['standing']): ContactRow[] {
    return this.#rows.select('WHERE standing = @standing ORDER BY since_ms, jid', { standing });
  }

  put(contact: ContactRow): void {
    this.#rows.put(contact);
  }

  update(jid: BareJid, changes: Partial<Omit<ContactRow, 'jid'>>): boolean {
    return this.#rows.update({ jid }, changes);
  }

  /** With everything that was said. */
  remove(jid: BareJid): boolean {
    return this.#rows.remove({ jid });
  }
}
