import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { AppError } from '../base/errors.ts';

/** One forward step of the schema; `version` is what user_version is afterwards. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

/** The product's own migrations, in order, numbered 1, 2, 3 … */
export function loadMigrations(folder: string = join(import.meta.dirname, 'migrations')): readonly Migration[] {
  const migrations = readdirSync(folder)
    .toSorted()
    .map((file) => {
      const [, digits, name] = FILE_NAME.exec(file) ?? [];
      if (digits === undefined || name === undefined) throw new AppError('internal', 'misnamed migration', { file });
      return { version: Number(digits), name, sql: readFileSync(join(folder, file), 'utf8') };
    });
  const gap = migrations.find((migration, index) => migration.version !== index + 1);
  if (gap !== undefined) throw new AppError('internal', 'migrations are not numbered in sequence', { name: gap.name });
  return migrations;
}

export function schemaVersion(sqlite: Sqlite.Database): number {
  return Number(sqlite.pragma('user_version', { simple: true }));
}

/** Applies one migration whole or not at all. */
export function applyMigration(sqlite: Sqlite.Database, migration: Migration): void {
  // SQLite: a table can only be rebuilt with enforcement off, which a transaction cannot switch.
  sqlite.pragma('foreign_keys = OFF');
  try {
    sqlite
      .transaction(() => {
        sqlite.exec(migration.sql);
        const broken = sqlite.pragma('foreign_key_check');
        if (Array.isArray(broken) && broken.length > 0) {
          throw new AppError('internal', 'a migration broke references', { name: migration.name, rows: broken.length });
        }
        sqlite.pragma(`user_version = ${migration.version}`);
      })
      .immediate();
  } finally {
    sqlite.pragma('foreign_keys = ON');
  }
}
