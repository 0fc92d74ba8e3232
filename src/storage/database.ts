import Sqlite from 'better-sqlite3';
import { toUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
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
  const version = inspectDatabaseFile(path, migrations.length);
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
  return new Database({ sqlite, path, secretBox });
}

function configure(sqlite: Sqlite.Database): void {
  sqlite.pragma('journal_mode = WAL');
  // FULL, not NORMAL: a ratchet state lost with the power would be used twice, and an acknowledged message would be gone.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  // What was erased must not linger in free pages.
  sqlite.pragma('secure_delete = ON');
  sqlite.pragma('trusted_schema = OFF');
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

/** The open database: statements for the table classes, transactions for their owners. */
export class Database implements Disposable {
  readonly path: string;
  readonly secretBox: SecretBox;
  readonly #sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement<[Parameters]>>();
  #undone = 0;
  #onDisk: OnDisk = 'now';
  /** Whether something was kept that a power cut may undo. */
  #isUnsettled = false;

  constructor(deps: { sqlite: Sqlite.Database; path: string; secretBox: SecretBox }) {
    this.#sqlite = deps.sqlite;
    this.path = deps.path;
    this.secretBox = deps.secretBox;
  }

  /** How many transactions, or parts of one, were undone: what was remembered of rows before then may be wrong. */
  get undone(): number {
    return this.#undone;
  }

  /**
   * Everything `work` writes is kept together or not at all; on return it is on the disk, or will be together with the
   * next transaction that is. Inside another transaction it is a savepoint. `work` must be synchronous.
   */
  transaction<T>(work: () => T, onDisk: OnDisk = 'now'): T {
    const isRelaxed = onDisk === 'later' && !this.#sqlite.inTransaction;
    return this.#guard(() => {
      this.#keepFrom(onDisk);
      try {
        const result = this.#sqlite.transaction(work).immediate();
        if (isRelaxed) this.#isUnsettled = true;
        return result;
      } catch (error) {
        this.#undone += 1;
        throw error;
      }
    });
  }

  /** On return everything that was to be on the disk later is there. */
  settle(): void {
    if (!this.#isUnsettled) return;
    // The log is written in order: once any of it is on the disk, all before it is.
    this.run('UPDATE master_key_check SET id = 1');
    this.#isUnsettled = false;
  }

  run(sql: string, parameters: Parameters = {}): { readonly changes: number; readonly lastId: number } {
    const { changes, lastInsertRowid } = this.#guard(() => {
      this.#keepFrom('now');
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
    this.#statements.clear();
    this.#sqlite.close();
  }

  /** Whether what is written next waits for the disk; a transaction that has begun goes on as it began. */
  #keepFrom(onDisk: OnDisk): void {
    if (this.#sqlite.inTransaction || onDisk === this.#onDisk) return;
    this.#sqlite.pragma(`synchronous = ${onDisk === 'now' ? 'FULL' : 'NORMAL'}`);
    this.#onDisk = onDisk;
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
      throw databaseError(error, this.path);
    }
  }
}
