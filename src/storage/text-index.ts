import { createHash } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import type { EventId, SphereId } from '../base/id.ts';
import { searchWords } from '../base/search-words.ts';

/** A line by whose words it is found. */
export interface IndexedLine {
  readonly id: EventId;
  /** The conversation it belongs to. */
  readonly place: SphereId;
  readonly atMs: number;
  /** Counts arrivals: tells lines of one moment apart. */
  readonly order: number;
  readonly text: string;
}

export interface IndexQuery {
  /** Each as `searchTerms` gives it; a line has a word that begins with it. */
  readonly terms: readonly string[];
  /** Only lines of these conversations. */
  readonly places: readonly SphereId[];
  readonly limit: number;
}

/** Lines of one millisecond that are told apart; more of them move on to the next. */
const LINES_PER_MS = 1024;

/**
 * The words of all lines, in memory alone: on the disk every text is sealed, and an index of its words would tell it.
 * It holds words and no texts. Words are folded by `searchWords` before, which also says what is marked in a result, so
 * that SQLite only has to split at spaces: nothing that people write or look for is syntax to it.
 */
export class TextIndex implements Disposable {
  readonly #sqlite: Sqlite.Database;
  readonly #places = new Map<SphereId, number>();
  readonly #known: Sqlite.Statement<[Uint8Array], { number: number; digest: number }>;
  readonly #taken: Sqlite.Statement<[number], { taken: number }>;
  readonly #last: Sqlite.Statement<[number, number], { last: number | null }>;
  readonly #addLine: Sqlite.Statement<[number, Uint8Array, number, number]>;
  readonly #addWords: Sqlite.Statement<[number, string]>;
  readonly #removeLine: Sqlite.Statement<[number]>;
  readonly #removeWords: Sqlite.Statement<[number]>;
  readonly #find: Sqlite.Statement<[string, string, number], { id: Uint8Array }>;

  constructor() {
    const sqlite = new Sqlite(':memory:');
    this.#sqlite = sqlite;
    sqlite.pragma('temp_store = MEMORY');
    sqlite.exec(`
      CREATE TABLE line (
        number INTEGER PRIMARY KEY, -- newest last
        id BLOB NOT NULL UNIQUE,
        place INTEGER NOT NULL,
        digest INTEGER NOT NULL -- of its words
      ) STRICT;
      CREATE VIRTUAL TABLE word USING fts5
        (words, content='', contentless_delete=1, detail='none', prefix='1 2', tokenize='ascii');
    `);
    this.#known = sqlite.prepare('SELECT number, digest FROM line WHERE id = ?');
    this.#taken = sqlite.prepare('SELECT 1 AS taken FROM line WHERE number = ?');
    this.#last = sqlite.prepare('SELECT max(number) AS last FROM line WHERE number >= ? AND number < ?');
    this.#addLine = sqlite.prepare('INSERT INTO line (number, id, place, digest) VALUES (?, ?, ?, ?)');
    this.#addWords = sqlite.prepare('INSERT INTO word (rowid, words) VALUES (?, ?)');
    this.#removeLine = sqlite.prepare('DELETE FROM line WHERE number = ?');
    this.#removeWords = sqlite.prepare('DELETE FROM word WHERE rowid = ?');
    // The order of the join is given: the newest matches come first, and it ends with the last one that is wanted.
    this.#find = sqlite.prepare(`
      SELECT line.id AS id FROM word CROSS JOIN line ON line.number = word.rowid
      WHERE word MATCH ? AND line.place IN (SELECT value FROM json_each(?)) ORDER BY word.rowid DESC LIMIT ?`);
  }

  /** Everything `work` puts and removes at once, which is much faster than one by one. */
  together(work: () => void): void {
    this.#sqlite.transaction(work)();
  }

  /** Adds a line, or gives a known one other words. */
  put({ id, place, atMs, order, text }: IndexedLine): void {
    const words = Array.from(new Set(Array.from(searchWords(text), ({ folded }) => folded))).join(' ');
    const digest = digestOf(words);
    const key = Buffer.from(id, 'hex');
    const known = this.#known.get(key);
    if (known?.digest === digest) return;
    if (known !== undefined) this.#drop(known.number);
    if (words === '') return;
    const number = this.#freeNumber(atMs, order);
    this.#addLine.run(number, key, this.#numberOf(place), digest);
    this.#addWords.run(number, words);
  }

  remove(id: EventId): void {
    const known = this.#known.get(Buffer.from(id, 'hex'));
    if (known !== undefined) this.#drop(known.number);
  }

  /** Newest first. */
  find({ terms, places, limit }: IndexQuery): EventId[] {
    if (terms.length === 0) return [];
    const match = terms.map((term) => `"${term}"*`).join(' AND ');
    const open = places.flatMap((place) => this.#places.get(place) ?? []);
    return this.#find
      .all(match, JSON.stringify(open), limit)
      .map(({ id }) => Buffer.from(id).toString('hex') as EventId);
  }

  /** Bytes of memory that the index takes. */
  get bytes(): number {
    const [pages, size] = ['page_count', 'page_size'].map((name) =>
      Number(this.#sqlite.pragma(name, { simple: true })),
    );
    return (pages ?? 0) * (size ?? 0);
  }

  [Symbol.dispose](): void {
    this.#sqlite.close();
  }

  #drop(number: number): void {
    this.#removeWords.run(number);
    this.#removeLine.run(number);
  }

  #freeNumber(atMs: number, order: number): number {
    for (let ms = Math.max(0, Math.floor(atMs)); ; ms += 1) {
      const first = ms * LINES_PER_MS;
      const wished = first + (order % LINES_PER_MS);
      if (this.#taken.get(wished) === undefined) return wished;
      const last = this.#last.get(first, first + LINES_PER_MS)?.last ?? null;
      if (last !== null && last + 1 < first + LINES_PER_MS) return last + 1;
    }
  }

  #numberOf(place: SphereId): number {
    const known = this.#places.get(place) ?? this.#places.size;
    this.#places.set(place, known);
    return known;
  }
}

/** As many bits as fit into a number. */
function digestOf(words: string): number {
  return createHash('sha256').update(words).digest().readUIntBE(0, 6);
}
