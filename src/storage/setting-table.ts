import { fromJson, toJson } from './json.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** Small values by name, kept as JSON. Not for secrets. */
export class SettingTable {
  readonly #rows: Rows<{ key: string; value: string }, 'key'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({
      database: deps.database,
      table: 'setting',
      columns: { key: text('key'), value: text('value') },
      key: ['key'],
    });
  }

  /** `parse` checks the value and gives it its type; it may throw. */
  get<T>(key: string, parse: (value: unknown) => T): T | undefined {
    const row = this.#rows.get({ key });
    return row === undefined ? undefined : parse(fromJson(row.value));
  }

  remove(key: string): void {
    this.#rows.remove({ key });
  }

  set(key: string, value: unknown): void {
    this.#rows.put({ key, value: toJson(value) });
  }
}
