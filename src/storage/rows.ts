import type { ColumnContext, Columns, SqlValue } from './columns.ts';
import type { Database } from './database.ts';

type RawRow = Readonly<Record<string, SqlValue>>;
type Parameters = Readonly<Record<string, SqlValue>>;

/** Turns the rows of one table into objects and back, and holds the statements that every table needs. */
export class Rows<Row extends object, Key extends keyof Row & string> {
  readonly #database: Database;
  readonly #table: string;
  readonly #columns: Columns<Row>;
  readonly #properties: readonly (keyof Row & string)[];
  readonly #contexts: Readonly<Record<string, ColumnContext>>;
  readonly #where: string;
  readonly #get: string;
  readonly #has: string;
  readonly #insertIfAbsent: string;
  readonly #insert: string;
  readonly #put: string;

  constructor(deps: {
    database: Database;
    table: string;
    columns: Columns<Row>;
    key: readonly Key[];
    /** The table for which values are sealed, when they were moved here from another one. */
    sealedAs?: string;
  }) {
    this.#database = deps.database;
    this.#table = deps.table;
    this.#columns = deps.columns;
    this.#properties = Object.keys(deps.columns) as (keyof Row & string)[];
    this.#contexts = Object.fromEntries(
      this.#properties.map((property) => {
        const label = `${deps.sealedAs ?? deps.table}.${deps.columns[property].name}`;
        return [property, { box: deps.database.secretBox, label }];
      }),
    );
    const names = this.#properties.map((property) => deps.columns[property].name);
    const keys = deps.key.map((property) => deps.columns[property].name);
    this.#where = keys.map((name) => `${name} = @${name}`).join(' AND ');
    // Put together once: a text made anew each time is read whole to find its statement.
    this.#get = `SELECT * FROM ${this.#table} WHERE ${this.#where}`;
    this.#has = `SELECT 1 AS found FROM ${this.#table} WHERE ${this.#where}`;
    this.#insert = `INSERT INTO ${this.#table} (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`;
    this.#insertIfAbsent = `${this.#insert} ON CONFLICT DO NOTHING`;
    // Never REPLACE: it deletes the old row first, and with it everything that cascades from it.
    const rest = names.filter((name) => !keys.includes(name)).map((name) => `${name} = excluded.${name}`);
    const action = rest.length === 0 ? 'NOTHING' : `UPDATE SET ${rest.join(', ')}`;
    this.#put = `${this.#insert} ON CONFLICT (${keys.join(', ')}) DO ${action}`;
  }

  get(key: Pick<Row, Key>): Row | undefined {
    const raw = this.#database.one<RawRow>(this.#get, this.#encodeKey(key));
    return raw === undefined ? undefined : this.#decode(raw);
  }

  has(key: Pick<Row, Key>): boolean {
    return this.#database.one(this.#has, this.#encodeKey(key)) !== undefined;
  }

  /** Inserts a row without its numbered property and returns the number the database gave it. */
  insertNumbered(row: Partial<Row>): number {
    const values = this.#encode(row);
    const names = Object.keys(values);
    const marks = names.map((name) => `@${name}`).join(', ');
    const sql = `INSERT INTO ${this.#table} (${names.join(', ')}) VALUES (${marks})`;
    return this.#database.run(sql, values).lastId;
  }

  /** Returns false, and changes nothing, when the row is there already. */
  insertIfAbsent(row: Row): boolean {
    return this.#database.run(this.#insertIfAbsent, this.#encode(row)).changes > 0;
  }

  /** Inserts, or overwrites the row of the same key. */
  put(row: Row): void {
    this.#database.run(this.#put, this.#encode(row));
  }

  /** Changes the given properties only. Returns false when there is no such row. */
  update(key: Pick<Row, Key>, changes: Partial<Omit<Row, Key>>): boolean {
    const values = this.#encode(changes as Partial<Row>);
    const names = Object.keys(values);
    if (names.length === 0) return this.has(key);
    const sql = `UPDATE ${this.#table} SET ${names.map((name) => `${name} = @${name}`).join(', ')} WHERE ${this.#where}`;
    return this.#database.run(sql, { ...values, ...this.#encodeKey(key) }).changes > 0;
  }

  remove(key: Pick<Row, Key>): boolean {
    return this.#database.run(`DELETE FROM ${this.#table} WHERE ${this.#where}`, this.#encodeKey(key)).changes > 0;
  }

  /** `rest` is everything after FROM. */
  select(rest: string, parameters: Parameters = {}): Row[] {
    return this.#database
      .all<RawRow>(`SELECT * FROM ${this.#table} ${rest}`, parameters)
      .map((raw) => this.#decode(raw));
  }

  /** Only these properties: what is not asked for is not unsealed either. */
  pick<Property extends keyof Row & string>(
    properties: readonly Property[],
    rest: string,
    parameters: Parameters = {},
  ): Pick<Row, Property>[] {
    const names = properties.map((property) => this.#columns[property].name).join(', ');
    return this.#database
      .all<RawRow>(`SELECT ${names} FROM ${this.#table} ${rest}`, parameters)
      .map((raw) => this.#decode(raw));
  }

  selectOne(rest: string, parameters: Parameters = {}): Row | undefined {
    const raw = this.#database.one<RawRow>(`SELECT * FROM ${this.#table} ${rest}`, parameters);
    return raw === undefined ? undefined : this.#decode(raw);
  }

  count(where: string, parameters: Parameters): number {
    const sql = `SELECT count(*) AS count FROM ${this.#table} WHERE ${where}`;
    return this.#database.one<{ count: number }>(sql, parameters)?.count ?? 0;
  }

  /** In bytes as they are kept; 0 when there is no row. Nothing is unsealed. */
  averageLength(property: keyof Row & string, where: string, parameters: Parameters): number {
    const sql = `SELECT avg(length(${this.#columns[property].name})) AS length FROM ${this.#table} WHERE ${where}`;
    return this.#database.one<{ length: number | null }>(sql, parameters)?.length ?? 0;
  }

  #encodeKey(key: Pick<Row, Key>): Record<string, SqlValue> {
    return this.#encode(key as Partial<Row>);
  }

  #encode(partial: Partial<Row>): Record<string, SqlValue> {
    const values: Record<string, SqlValue> = {};
    for (const property of this.#properties) {
      const value = partial[property];
      const context = this.#contexts[property];
      if (value === undefined || context === undefined) continue;
      const column = this.#columns[property];
      values[column.name] = column.encode(value, context);
    }
    return values;
  }

  #decode(raw: RawRow): Row {
    const row: Record<string, unknown> = {};
    for (const property of this.#properties) {
      const column = this.#columns[property];
      const context = this.#contexts[property];
      const value = raw[column.name];
      if (context === undefined || value === undefined) continue;
      row[property] = column.decode(value, context);
    }
    return row as Row;
  }
}
