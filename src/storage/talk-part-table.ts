import type { EventId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** A piece of a long line of a talk. */
export interface TalkPartRow {
  readonly line: EventId;
  /** From 0. */
  readonly number: number;
  readonly count: number;
  readonly atMs: number;
  /** null = it came, or it left; nothing more is to be done with it. */
  readonly piece: string | null;
}

const COLUMNS: Columns<TalkPartRow> = {
  line: text('line'),
  number: integer('number'),
  count: integer('count'),
  atMs: integer('at_ms'),
  piece: nullable(sealedText('piece')),
};

/** Stands for all pieces of a line. */
const ALL = -1;

/** Long lines of talks that come or leave piece by piece. */
export class TalkPartTable {
  readonly #database: Database;
  readonly #rows: Rows<TalkPartRow, 'line' | 'number'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'talk_part', columns: COLUMNS, key: ['line', 'number'] });
  }

  put(part: TalkPartRow): void {
    this.#rows.put(part);
  }

  has(line: EventId, number: number): boolean {
    return this.#rows.has({ line, number });
  }

  /** In order. */
  list(line: EventId): TalkPartRow[] {
    return this.#rows.select('WHERE line = @line ORDER BY number', { line });
  }

  /** Whether some of the line is here and some is not. */
  isOpen(line: EventId): boolean {
    return this.#rows.count('line = @line AND piece IS NOT NULL', { line }) > 0;
  }

  /** All of the line is here, or nothing of it is wanted any more: what comes of it again is nothing new. */
  close(line: EventId, atMs: number): void {
    this.remove(line);
    this.put({ line, number: ALL, count: 0, atMs, piece: null });
  }

  isClosed(line: EventId): boolean {
    return this.has(line, ALL);
  }

  remove(line: EventId): void {
    this.#database.run('DELETE FROM talk_part WHERE line = @line', { line });
  }

  /** But for pieces of lines that are shown: what comes late stands behind them. */
  removeBefore(atMs: number): void {
    const isDone = 'piece IS NULL OR line NOT IN (SELECT id FROM direct_message)';
    this.#database.run(`DELETE FROM talk_part WHERE at_ms < @atMs AND (${isDone})`, { atMs });
  }
}
