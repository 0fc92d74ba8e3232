import Sqlite from 'better-sqlite3';
import type { ErrorCode } from '../base/errors.ts';
import { AppError } from '../base/errors.ts';

const CODES: readonly (readonly [prefix: string, code: ErrorCode, message: string])[] = [
  ['SQLITE_FULL', 'disk-full', 'the disk has no room for the database'],
  ['SQLITE_CORRUPT', 'database-damaged', 'the database is damaged'],
  ['SQLITE_NOTADB', 'database-damaged', 'the file is not a database'],
  ['SQLITE_IOERR', 'disk-error', 'the disk failed under the database'],
  ['SQLITE_CANTOPEN', 'disk-error', 'the database cannot be opened'],
  ['SQLITE_READONLY', 'disk-error', 'the database cannot be written'],
  ['SQLITE_BUSY', 'conflict', 'another program holds the database'],
  ['SQLITE_CONSTRAINT', 'conflict', 'the row contradicts what is stored'],
];

/** What SQLite reports, in our codes; anything else comes back as it is. */
export function databaseError(error: unknown, path: string): unknown {
  if (!(error instanceof Sqlite.SqliteError)) return error;
  const known = CODES.find(([prefix]) => error.code.startsWith(prefix));
  if (known === undefined) return error;
  return new AppError(known[1], known[2], { path, sqlite: error.code }, error);
}
