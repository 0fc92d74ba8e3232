import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { AppError } from '../base/errors.ts';
import { databaseError } from './database-error.ts';
import type { Migration } from './migrations.ts';
import { applyMigration, schemaVersion } from './migrations.ts';

const OWNER_ONLY = 0o600;

/**
 * Looks at an existing file without changing a byte of it and returns its schema version.
 * `isLookedOver`: it need not be read from end to end. A damaged or newer file is refused and stays where it is: replacing it would be a silent loss of identity.
 */
export function inspectDatabaseFile(path: string, newestVersion: number, isLookedOver: boolean): number {
  if (statSync(path).size === 0) throw new AppError('database-damaged', 'the database file is empty', { path });
  try {
    using checked = closing(new Sqlite(path, { readonly: true, fileMustExist: true }));
    const version = schemaVersion(checked.sqlite);
    if (version > newestVersion) {
      throw new AppError('database-newer', 'a newer program wrote this database', { path, version, newestVersion });
    }
    // Whatever is rewritten as a whole is looked over first.
    const verdict: unknown =
      isLookedOver && version === newestVersion ? 'ok' : checked.sqlite.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok') throw new AppError('database-damaged', 'the database is damaged', { path, verdict });
    if (version === 0) throw new AppError('database-damaged', 'the database has no schema', { path });
    return version;
  } catch (error) {
    throw databaseError(error, path);
  }
}

/** Builds the database beside its final place: a crash half-way leaves no file that looks like an emptied one. */
export function createDatabaseFile(
  path: string,
  migrations: readonly Migration[],
  fill: (sqlite: Sqlite.Database) => void,
): void {
  // A write-ahead log without its database means that the database was lost, not that there never was one.
  if (existsSync(`${path}-wal`)) throw new AppError('database-damaged', 'the database file is missing', { path });
  const draft = `${path}.new`;
  for (const leftover of [draft, `${draft}-journal`]) rmSync(leftover, { force: true });
  try {
    using opened = closing(new Sqlite(draft));
    // A draft that a crash leaves behind is thrown away, so it goes to the disk once, when it is whole.
    opened.sqlite.pragma('journal_mode = MEMORY');
    opened.sqlite.pragma('synchronous = OFF');
    for (const migration of migrations) applyMigration(opened.sqlite, migration);
    fill(opened.sqlite);
  } catch (error) {
    throw databaseError(error, path);
  }
  moveIntoPlace(draft, path);
}

/** Keeps a complete copy beside the database, the write-ahead log included. */
export function backUpDatabase(sqlite: Sqlite.Database, path: string, version: number): void {
  const backup = `${path}.backup-v${version}`;
  const draft = `${backup}.new`;
  rmSync(draft, { force: true });
  sqlite.prepare('VACUUM INTO ?').run(draft);
  moveIntoPlace(draft, backup);
}

/** Only the copies of the last upgrade stay: older ones would fill the disk and keep what was erased since. */
export function removeOlderBackups(path: string, version: number): void {
  for (let older = 1; older < version; older += 1) rmSync(`${path}.backup-v${older}`, { force: true });
}

export function databaseFileExists(path: string): boolean {
  return existsSync(path);
}

function moveIntoPlace(draft: string, path: string): void {
  chmodSync(draft, OWNER_ONLY);
  syncPath(draft, 'r+');
  renameSync(draft, path);
  // A directory cannot be opened on Windows; there a rename is durable by itself.
  if (process.platform !== 'win32') syncPath(dirname(path), 'r');
}

function syncPath(path: string, mode: 'r' | 'r+'): void {
  const descriptor = openSync(path, mode);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function closing(sqlite: Sqlite.Database): Disposable & { readonly sqlite: Sqlite.Database } {
  return { sqlite, [Symbol.dispose]: () => sqlite.close() };
}
