import type { Columns } from './columns.ts';
import { integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

interface SeenRow {
  readonly scope: string;
  readonly id: string;
  readonly atMs: number;
}

const COLUMNS: Columns<SeenRow> = { scope: text('scope'), id: text('id'), atMs: integer('at_ms') };

/** What was dealt with already: archive ids and hashes of key elements, each in the scope that gave it. */
export class SeenTable {
  readonly #database: Database;
  readonly #rows: Rows<SeenRow, 'scope' | 'id'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'seen', columns: COLUMNS, key: ['scope', 'id'] });
  }

  has(scope: string, id: string): boolean {
    return this.#rows.has({ scope, id });
  }

  /** When it was dealt with; undefined when it was not. */
  atMs(scope: string, id: string): number | undefined {
    return this.#rows.get({ scope, id })?.atMs;
  }

  /** Returns true the first time only. */
  add(scope: string, id: string, atMs: number): boolean {
    return this.#rows.insertIfAbsent({ scope, id, atMs });
  }

  /** What was dealt with last before a moment. */
  lastBefore(scope: string, atMs: number): string | undefined {
    const rest = 'WHERE scope = @scope AND at_ms < @atMs ORDER BY at_ms DESC LIMIT 1';
    return this.#rows.selectOne(rest, { scope, atMs })?.id;
  }

  /** Forgets what is older than `beforeMs`; returns how many. */
  prune(beforeMs: number): number {
    return this.#database.run('DELETE FROM seen WHERE at_ms < @beforeMs', { beforeMs }).changes;
  }
}
