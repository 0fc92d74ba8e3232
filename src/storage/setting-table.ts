import { RecentMap } from '../base/recent-map.ts';
import { fromJson, toJson } from './json.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** Of what others can add to only so much is remembered. */
const MOST_KNOWN = 256;

/** Small values by name, kept as JSON. Not for secrets. Remembered: some are asked for with everything that is heard. */
export class SettingTable {
  readonly #database: Database;
  readonly #rows: Rows<{ key: string; value: string }, 'key'>;
  /** null: there is none. */
  readonly #known = new RecentMap<string, string | null>(MOST_KNOWN);
  #undone = 0;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({
      database: deps.database,
      table: 'setting',
      columns: { key: text('key'), value: text('value') },
      key: ['key'],
    });
  }

  /** `parse` checks the value and gives it its type; it may throw. */
  get<T>(key: string, parse: (value: unknown) => T): T | undefined {
    const value = this.#read(key);
    return value === null ? undefined : parse(fromJson(value));
  }

  /** All names that begin so. */
  keys(prefix: string): string[] {
    return this.#rows
      .pick(['key'], 'WHERE substr(key, 1, length(@prefix)) = @prefix ORDER BY key', { prefix })
      .map(({ key }) => key);
  }

  remove(key: string): void {
    this.#known.delete(key);
    this.#rows.remove({ key });
  }

  set(key: string, value: unknown): void {
    this.#known.delete(key);
    this.#rows.put({ key, value: toJson(value) });
  }

  #read(key: string): string | null {
    if (this.#undone !== this.#database.undone) this.#known.clear();
    this.#undone = this.#database.undone;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = this.#rows.get({ key })?.value ?? null;
    this.#known.set(key, value);
    return value;
  }
}
