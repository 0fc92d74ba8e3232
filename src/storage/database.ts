import Sqlite from 'better-sqlite3';
import { toUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { ClosedNote } from './closed-note.ts';
import type { SqlValue } from './columns.ts';
import { databaseError } from './database-error.ts';
import {
  backUpDatabase,
  createDatabaseFile,
  databaseFileExists,
  inspectDatabaseFile,
  removeOlderBackups,
} from './database-file.ts';
import type { Migration } from './migrations.ts';
import { applyMigration, loadMigrations } from './migrations.ts';
import type { SecretBox } from './secret-box.ts';

const CHECK_LABEL = 'master_key_check.sealed';
const CHECK_TEXT = 'spherecast';
/** So long what is gathered may wait for more: whoever looks on is to see it come. */
const GATHERED_MS = 250;

type Parameters = Readonly<Record<string, SqlValue>>;

export interface DatabaseDeps {
  /** The database file; its folder exists. */
  readonly path: string;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
  /** The product's own unless a test brings others. */
  readonly migrations?: readonly Migration[];
}

/**
 * Opens the database of one account, creates it when there is no file, and brings its schema up to date.
 * Refuses with `database-damaged`, `database-newer` or `secrets-unavailable` (wrong master key), the file untouched.
 */
export function openDatabase(deps: DatabaseDeps): Database {
  const { path, secretBox, log } = deps;
  const startedAt = deps.clock.monotonic();
  const migrations = deps.migrations ?? loadMigrations();
  if (!databaseFileExists(path)) {
    createDatabaseFile(path, migrations, (sqlite) => {
      const sealed = secretBox.seal(toUtf8(CHECK_TEXT), CHECK_LABEL);
      sqlite.prepare('INSERT INTO master_key_check (id, sealed) VALUES (1, ?)').run(sealed);
    });
  }
  const closed = new ClosedNote(path);
  const lookedOver = closed.take(deps.clock.now());
  const version = inspectDatabaseFile(path, migrations.length, lookedOver !== null);
  const lookedOverMs = lookedOver ?? deps.clock.now();
  const sqlite = new Sqlite(path, { fileMustExist: true });
  try {
    configure(sqlite);
    checkMasterKey(sqlite, secretBox, path);
    for (const migration of migrations.slice(version)) {
      backUpDatabase(sqlite, path, migration.version - 1);
      applyMigration(sqlite, migration);
      log.info('database migrated', { version: migration.version });
    }
    if (version < migrations.length) removeOlderBackups(path, version);
  } catch (error) {
    sqlite.close();
    throw databaseError(error, path);
  }
  log.debug('database opened', { version: migrations.length, tookMs: deps.clock.monotonic() - startedAt });
  return new Database({ sqlite, path, secretBox, clock: deps.clock, onClosed: () => closed.leave(lookedOverMs) });
}

function configure(sqlite: Sqlite.Database): void {
  sqlite.pragma('journal_mode = WAL');
  // FULL, not NORMAL: a ratchet state lost with the power would be used twice, and an acknowledged message would be gone.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  // What was erased must not linger in free pages.
  sqlite.pragma('secure_delete = ON');
  sqlite.pragma('trusted_schema = OFF');
  // Keys of events and of what was seen lie anywhere in their tables: with the usual 2 MB most pages are read again and again.
  sqlite.pragma('cache_size = -8000');
  // Each time the log is brought home everything waits for the disk twice, and a long archive fills it many times over.
  sqlite.pragma('wal_autocheckpoint = 2000');
}

function checkMasterKey(sqlite: Sqlite.Database, secretBox: SecretBox, path: string): void {
  const row = sqlite.prepare<[], { sealed: Uint8Array }>('SELECT sealed FROM master_key_check').get();
  if (row === undefined) throw new AppError('database-damaged', 'the master key check is missing', { path });
  try {
    secretBox.open(row.sealed, CHECK_LABEL);
  } catch (error) {
    throw new AppError('secrets-unavailable', 'the master key does not belong to this database', { path }, error);
  }
}

/** `later`: a power cut may undo it, together with everything after it; for what can be had again. */
export type OnDisk = 'now' | 'later';

/** What becomes of one gathering; either is called once, the first when nothing else is going on. */
export interface Gathered {
  readonly kept: () => void;
  /** It is not in the database: memory must not be ahead of that. */
  readonly lost: () => void;
}

/** The open database: statements for the table classes, transactions for their owners. */
export class Database implements Disposable {
  readonly path: string;
  readonly secretBox: SecretBox;
  readonly #sqlite: Sqlite.Database;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  /** Made once: making it takes longer than what it does. */
  readonly #together: (work: () => unknown) => unknown;
  readonly #statements = new Map<string, Sqlite.Statement<[Parameters]>>();
  #undone = 0;
  #lost = 0;
  /** How many pieces of work are going on, one inside the other. */
  #depth = 0;
  /** Who waits for the transaction that is open between pieces of work, by what began it; null: none is open. */
  #gathered: Map<() => Gathered, Gathered> | null = null;
  /** Whether anything was gathered in this turn. */
  #hasGathered = false;
  #begunAs: OnDisk | 'gathered' = 'now';
  /** Whether the disk failed, or what it gave was damaged: the next start looks everything over. */
  #isDoubtful = false;
  /** Whether something was kept that a power cut may undo. */
  #isUnsettled = false;

  constructor(deps: {
    sqlite: Sqlite.Database;
    path: string;
    secretBox: SecretBox;
    clock: Clock;
    onClosed: () => void;
  }) {
    this.#sqlite = deps.sqlite;
    this.#clock = deps.clock;
    this.#onClosed = deps.onClosed;
    this.path = deps.path;
    this.secretBox = deps.secretBox;
    this.#together = deps.sqlite.transaction((work: () => unknown) => work()).immediate;
  }

  /** How many transactions, or parts of one, were undone: what was remembered of rows before then may be wrong. */
  get undone(): number {
    return this.#undone;
  }

  /** How often what was gathered was lost: whoever noted since when it read knows that it has to read again. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Everything `work` writes is kept together or not at all; on return it is on the disk, or will be together with the
   * next transaction that is. Inside another transaction it is a savepoint. `work` must be synchronous.
   */
  transaction<T>(work: () => T, onDisk: OnDisk = 'now'): T {
    return this.#guard(() => {
      this.#keepBefore();
      const isRelaxed = onDisk === 'later' && !this.#sqlite.inTransaction;
      this.#beginAs(onDisk);
      const result = this.#within(work);
      if (isRelaxed) this.#isUnsettled = true;
      return result;
    });
  }

  /**
   * Like a transaction of its own that may come to the disk later, but all that are gathered end together, after the first
   * turn in which nothing comes: most of them change the same pages, and the end of each takes longer than most of what is in
   * it. Whatever else is written ends it before. `begin` is called with the first of a gathering, and gives who hears of it:
   * the next one may be under way when this one is told.
   */
  gather<T>(work: () => T, begin: () => Gathered): T {
    return this.#guard(() => {
      if (this.#depth > 0) throw new AppError('internal', 'what is gathered belongs into no other transaction');
      const open = this.#gathered ?? this.#beginGathering();
      const result = this.#within(work);
      this.#hasGathered = true;
      if (!open.has(begin)) open.set(begin, begin());
      return result;
    });
  }

  /** What was gathered is in the database from now on. */
  keep(): void {
    this.#guard(() => this.#keepBefore());
  }

  /** On return everything that was to be on the disk later is there. */
  settle(): void {
    this.keep();
    if (!this.#isUnsettled) return;
    // The log is written in order: once any of it is on the disk, all before it is.
    this.run('UPDATE master_key_check SET id = 1');
    this.#isUnsettled = false;
  }

  run(sql: string, parameters: Parameters = {}): { readonly changes: number; readonly lastId: number } {
    const { changes, lastInsertRowid } = this.#guard(() => {
      this.#keepBefore();
      this.#beginAs('now');
      return this.#statement(sql).run(parameters);
    });
    return { changes, lastId: Number(lastInsertRowid) };
  }

  all<Row>(sql: string, parameters: Parameters = {}): Row[] {
    return this.#guard(() => this.#statement(sql).all(parameters)) as Row[];
  }

  one<Row>(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(parameters)) as Row | undefined;
  }

  [Symbol.dispose](): void {
    this.#keepOrLose();
    this.#statements.clear();
    if (!this.#sqlite.open) return;
    this.#sqlite.close();
    if (!this.#isDoubtful) this.#onClosed();
  }

  #within<T>(work: () => T): T {
    this.#depth += 1;
    try {
      return this.#together(work) as T;
    } catch (error) {
      this.#undone += 1;
      // Some faults of the disk undo all that is open, not only the part that failed.
      if (!this.#sqlite.inTransaction) this.#lose();
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  #beginGathering(): Map<() => Gathered, Gathered> {
    this.#beginAs('gathered');
    this.#statement('BEGIN IMMEDIATE').run({});
    const gathered = new Map<() => Gathered, Gathered>();
    this.#gathered = gathered;
    this.#keepAfterTurn(gathered, this.#clock.monotonic() + GATHERED_MS);
    return gathered;
  }

  /** A turn in which more is gathered goes on with the same transaction, but not for ever. */
  #keepAfterTurn(gathered: Map<() => Gathered, Gathered>, latestMs: number): void {
    setImmediate(() => {
      if (!this.#sqlite.open || this.#gathered !== gathered) return;
      if (!this.#hasGathered || this.#clock.monotonic() >= latestMs) return this.#keepOrLose();
      this.#hasGathered = false;
      this.#keepAfterTurn(gathered, latestMs);
    });
  }

  #keepOrLose(): void {
    try {
      this.#keepBefore();
    } catch {
      this.#isDoubtful = true;
      // Whoever gathered it was told that it is lost, and reads it again.
    }
  }

  /** Ends what was gathered before anything else is written. */
  #keepBefore(): void {
    const gathered = this.#gathered;
    if (gathered === null || this.#depth > 0) return;
    try {
      this.#statement('COMMIT').run({});
    } catch (error) {
      if (this.#sqlite.inTransaction) this.#statement('ROLLBACK').run({});
      this.#lose();
      throw error;
    }
    this.#gathered = null;
    this.#isUnsettled = true;
    // Later: whoever writes now has something half done.
    queueMicrotask(() => {
      if (this.#sqlite.open) for (const { kept } of gathered.values()) kept();
    });
  }

  #lose(): void {
    const gathered = this.#gathered;
    if (gathered === null) return;
    this.#gathered = null;
    this.#lost += 1;
    this.#undone += 1;
    for (const { lost } of gathered.values()) lost();
  }

  /** How what is written next is kept; a transaction that has begun goes on as it began. */
  #beginAs(as: OnDisk | 'gathered'): void {
    if (this.#sqlite.inTransaction || as === this.#begunAs) return;
    this.#sqlite.pragma(`synchronous = ${as === 'now' ? 'FULL' : 'NORMAL'}`);
    // Before a part of a transaction changes a page, that is copied: of many small parts more than is written in the end.
    this.#sqlite.pragma(`temp_store = ${as === 'gathered' ? 'MEMORY' : 'DEFAULT'}`);
    this.#begunAs = as;
  }

  #statement(sql: string): Sqlite.Statement<[Parameters]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare<[Parameters]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const failure = databaseError(error, this.path);
      this.#isDoubtful ||= ['database-damaged', 'disk-error'].includes(errorCode(failure));
      throw failure;
    }
  }
}
