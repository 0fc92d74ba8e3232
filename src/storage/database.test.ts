import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { ben, event, sphere } from '../../test/fixtures/storage-rows.ts';
import { createLogger } from '../base/log.ts';
import type { LogEntry } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { NO_CHANGES } from '../omemo/store.ts';
import { openDatabase } from './database.ts';
import type { Migration } from './migrations.ts';
import { loadMigrations } from './migrations.ts';
import { createSecretBox } from './secret-box.ts';
import { openStorage, Storage } from './storage.ts';

const refused = (code: string): unknown => expect.objectContaining({ code });
const next: Migration = {
  version: loadMigrations().length + 1,
  name: 'colours',
  sql: "CREATE TABLE colour (name TEXT PRIMARY KEY) STRICT; INSERT INTO colour VALUES ('red');",
};

function fill(folder: StorageFolder): void {
  using storage = openStorage(folder.deps());
  storage.transaction(() => {
    for (let index = 0; index < 2000; index += 1) storage.seen.add('scope', `id ${index}`, index);
  });
}

test('a new database is made with every migration, readable by its owner only', () => {
  using folder = new StorageFolder();
  fill(folder);
  using sqlite = closing(new Sqlite(folder.path));
  expect(sqlite.db.pragma('user_version', { simple: true })).toBe(loadMigrations().length);
  expect(sqlite.db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(statSync(folder.path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder.folder).filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('what was kept is there after opening again', () => {
  using folder = new StorageFolder();
  fill(folder);
  using storage = openStorage(folder.deps());
  expect(storage.seen.has('scope', 'id 1999')).toBe(true);
});

test('an existing database is copied before it is migrated, and the copy is complete', () => {
  using folder = new StorageFolder();
  fill(folder);
  const entries: LogEntry[] = [];
  const log = createLogger({ clock: systemClock, sink: (entry) => entries.push(entry) });
  using database = openDatabase(folder.deps({ migrations: [...loadMigrations(), next], log }));
  expect(database.all('SELECT name FROM colour')).toEqual([{ name: 'red' }]);
  const backup = `${folder.path}.backup-v${next.version - 1}`;
  using sqlite = closing(new Sqlite(backup, { readonly: true }));
  expect(sqlite.db.prepare('SELECT count(*) AS count FROM seen').get()).toEqual({ count: 2000 });
  expect(sqlite.db.pragma('user_version', { simple: true })).toBe(next.version - 1);
  expect(entries.find(({ text }) => text === 'database migrated')?.fields).toEqual({ version: next.version });
});

test('of several upgrades only the copies of the last one stay', () => {
  using folder = new StorageFolder();
  fill(folder);
  const all = loadMigrations();
  const more = [1, 2, 3].map((step) => ({
    version: all.length + step,
    name: `more-${step}`,
    sql: `CREATE TABLE more_${step} (id INTEGER) STRICT;`,
  }));
  const backups = (): string[] => readdirSync(folder.folder).filter((name) => name.includes('.backup-'));
  openDatabase(folder.deps({ migrations: [...all, ...more.slice(0, 1)] }))[Symbol.dispose]();
  expect(backups()).toEqual([`account.db.backup-v${all.length}`]);
  for (let start = 0; start < 2; start += 1) {
    openDatabase(folder.deps({ migrations: [...all, ...more] }))[Symbol.dispose]();
    const last = [1, 2].map((step) => `account.db.backup-v${all.length + step}`);
    expect(backups().toSorted()).toEqual(last.toSorted());
  }
});

test('a migration that fails leaves the database as it was', () => {
  using folder = new StorageFolder();
  fill(folder);
  const broken = { ...next, sql: `${next.sql} INSERT INTO nowhere VALUES (1);` };
  expect(() => openDatabase(folder.deps({ migrations: [...loadMigrations(), broken] }))).toThrow('nowhere');
  using storage = openStorage(folder.deps());
  expect(storage.seen.has('scope', 'id 0')).toBe(true);
});

test('a migration that leaves broken references is taken back', () => {
  using folder = new StorageFolder();
  fill(folder);
  const sql = "INSERT INTO attachment (event_id, kind, bytes) VALUES ('none', 'preview', x'00');";
  expect(() => openDatabase(folder.deps({ migrations: [...loadMigrations(), { ...next, sql }] }))).toThrow(
    refused('internal'),
  );
  using storage = openStorage(folder.deps());
  expect(storage.seen.has('scope', 'id 0')).toBe(true);
});

test('a database of a newer program is refused and not touched', () => {
  using folder = new StorageFolder();
  fill(folder);
  openDatabase(folder.deps({ migrations: [...loadMigrations(), next] }))[Symbol.dispose]();
  const before = readFileSync(folder.path);
  expect(() => openStorage(folder.deps())).toThrow(refused('database-newer'));
  expect(readFileSync(folder.path).equals(before)).toBe(true);
});

test('another master key is refused and changes nothing', () => {
  using folder = new StorageFolder();
  fill(folder);
  const secretBox = createSecretBox({ masterKey: new Uint8Array(32).fill(8) });
  expect(() => openStorage(folder.deps({ secretBox }))).toThrow(refused('secrets-unavailable'));
  using storage = openStorage(folder.deps());
  expect(storage.seen.has('scope', 'id 0')).toBe(true);
});

test.each([
  ['bytes in its middle were overwritten', (path: string): void => overwrite(path, 0.5)],
  ['its first page was overwritten', (path: string): void => overwrite(path, 0)],
  ['it was cut in half', (path: string): void => truncateSync(path, statSync(path).size / 2)],
  ['it was emptied', (path: string): void => truncateSync(path, 0)],
  ['something else stands in its place', (path: string): void => writeFileSync(path, 'not a database'.repeat(1000))],
])('a damaged database is refused and kept as it is: %s', (_what, damage) => {
  using folder = new StorageFolder();
  fill(folder);
  damage(folder.path);
  const before = readFileSync(folder.path);
  expect(() => openStorage(folder.deps())).toThrow(refused('database-damaged'));
  expect(() => openStorage(folder.deps())).toThrow(refused('database-damaged'));
  expect(readFileSync(folder.path).equals(before)).toBe(true);
});

test('a database is looked over for damage after any end but our own, after any touch, and each week', () => {
  using folder = new StorageFolder();
  fill(folder);
  const isLookedOver = (clock = systemClock, path = folder.path): boolean => {
    const asked = vi.spyOn(Sqlite.prototype, 'pragma');
    openStorage(folder.deps({ clock, path }))[Symbol.dispose]();
    const isAsked = asked.mock.calls.some(([pragma]) => pragma.startsWith('quick_check'));
    asked.mockRestore();
    return isAsked;
  };
  const later = (ms: number) => ({ ...systemClock, now: () => systemClock.now() + ms });
  const first = isLookedOver();
  const weekLess = 7 * 86_400_000 - 60_000;
  expect([isLookedOver(), isLookedOver(later(weekLess)), isLookedOver(later(weekLess + 60_000))]).toEqual([
    false,
    false,
    true,
  ]);
  // By a clock that was ahead.
  expect([first, isLookedOver(), isLookedOver()]).toEqual([false, true, false]);
  const crashed = join(folder.folder, 'crashed.db');
  using storage = openStorage(folder.deps());
  storage.seen.add('scope', 'id', 0);
  for (const end of ['', '-wal']) copyFileSync(`${folder.path}${end}`, `${crashed}${end}`);
  expect([isLookedOver(systemClock, crashed), isLookedOver(systemClock, crashed)]).toEqual([true, false]);
  utimesSync(crashed, 1, 1);
  expect([isLookedOver(systemClock, crashed), isLookedOver(systemClock, crashed)]).toEqual([true, false]);
});

test('damage that was met while the program ran is looked for at the next start', () => {
  using folder = new StorageFolder();
  fill(folder);
  const storage = openStorage(folder.deps());
  const page = 4096;
  const whole = readFileSync(folder.path);
  writeFileSync(folder.path, Buffer.concat([whole.subarray(0, page), Buffer.alloc(whole.length - page, 0xff)]));
  expect(() => storage.seen.has('scope', 'id')).toThrow(refused('database-damaged'));
  storage[Symbol.dispose]();
  expect(existsSync(`${folder.path}.closed`)).toBe(false);
});

test('a write-ahead log whose database is gone is not taken for a first start', () => {
  using folder = new StorageFolder();
  const storage = openStorage(folder.deps());
  storage.seen.add('scope', 'id', 0);
  expect(existsSync(`${folder.path}-wal`)).toBe(true);
  unlinkSync(folder.path);
  expect(() => openStorage(folder.deps())).toThrow(refused('database-damaged'));
  expect(existsSync(folder.path)).toBe(false);
  storage[Symbol.dispose]();
});

test('a draft left by a crash during the first start does no harm', () => {
  using folder = new StorageFolder();
  writeFileSync(`${folder.path}.new`, 'half a database');
  fill(folder);
  expect(existsSync(`${folder.path}.new`)).toBe(false);
});

test('a transaction that throws keeps nothing, an inner one only takes back its own part', () => {
  using folder = new StorageFolder();
  using storage = openStorage(folder.deps());
  const fail = (): never => {
    throw new Error('no');
  };
  expect(() => storage.transaction(() => [storage.seen.add('s', 'lost', 0), fail()])).toThrow('no');
  storage.transaction(() => {
    storage.seen.add('s', 'outer', 0);
    expect(() => storage.transaction(() => [storage.seen.add('s', 'inner', 0), fail()])).toThrow('no');
  });
  expect(['lost', 'outer', 'inner'].map((id) => storage.seen.has('s', id))).toEqual([false, true, false]);
});

test('work that would go on after the transaction is refused', () => {
  using folder = new StorageFolder();
  using storage = openStorage(folder.deps());
  expect(() => storage.transaction(() => Promise.resolve())).toThrow('promise');
});

test('only what may come later is not waited for, also when it fails', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const waits = (): unknown => database.one('PRAGMA synchronous');
  const [full, normal] = [{ synchronous: 2 }, { synchronous: 1 }];
  expect(database.transaction(waits)).toEqual(full);
  expect(database.transaction(waits, 'later')).toEqual(normal);
  expect(database.transaction(() => database.transaction(waits, 'later'))).toEqual(full);
  const fails = (): never => {
    throw new Error('in the middle');
  };
  expect(() => database.transaction(fails, 'later')).toThrow('in the middle');
  expect(database.transaction(waits)).toEqual(full);
  database.transaction(waits, 'later');
  database.run('UPDATE master_key_check SET id = 1');
  expect(waits()).toEqual(full);
});

test('what was to be on the disk later is there once it is settled, and nothing is written when nothing waits', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const { settings } = new Storage({ database });
  const writes = (): unknown => database.one('SELECT total_changes() AS count');
  const before = writes();
  database.settle();
  expect(writes()).toEqual(before);
  database.transaction(() => settings.set('later', 1), 'later');
  const unsettled = writes();
  database.settle();
  const settled = writes();
  expect(settled).not.toEqual(unsettled);
  database.settle();
  expect(writes()).toEqual(settled);
});

test('a ratchet is read as it was before the transaction that failed, never as what was not kept', () => {
  using folder = new StorageFolder();
  using storage = openStorage(folder.deps());
  const address = { jid: ben, deviceId: 1 };
  const session = (): string | undefined => storage.omemo.session(address);
  const turnTo = (record: string): void => {
    storage.omemo.apply({ ...NO_CHANGES, sessions: [{ address, record }] });
    expect(session()).toBe(record);
  };
  turnTo('first');
  const fails = (): never => {
    turnTo('second');
    throw new Error('in the middle');
  };
  expect(() => storage.transaction(fails)).toThrow('in the middle');
  expect(session()).toBe('first');
  const begin = () => ({ kept: () => undefined, lost: () => undefined });
  expect(() => storage.gather(fails, begin)).toThrow('in the middle');
  expect(session()).toBe('first');
  storage.gather(() => turnTo('third'), begin);
  expect(session()).toBe('third');
  storage.omemo.forgetSessions();
  expect(session()).toBeUndefined();
});

test('a sphere is read as it was before the transaction that failed, and as it is after one that did not', () => {
  using folder = new StorageFolder();
  using storage = openStorage(folder.deps());
  storage.spheres.put(sphere);
  const cursor = (): string | null | undefined => storage.spheres.get(sphere.id)?.archiveCursor;
  const note = (archiveCursor: string): void => {
    storage.spheres.update(sphere.id, { archiveCursor });
    expect(cursor()).toBe(archiveCursor);
  };
  storage.transaction(() => note('first'));
  const fails = (): never => {
    note('second');
    throw new Error('in the middle');
  };
  expect(() => storage.transaction(fails)).toThrow('in the middle');
  expect(cursor()).toBe('first');
  storage.transaction(() => {
    expect(() => storage.transaction(fails)).toThrow('in the middle');
    expect(cursor()).toBe('first');
  });
  storage.spheres.noteCursor(sphere.id, 'third');
  expect(cursor()).toBe('third');
  storage.spheres.remove(sphere.id);
  expect(cursor()).toBeUndefined();
});

test('a full disk is reported as such, and what was kept before is still there', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const { settings } = new Storage({ database });
  settings.set('before', 1);
  database.one('PRAGMA max_page_count = 1');
  expect(() => settings.set('large', 'x'.repeat(1_000_000))).toThrow(refused('disk-full'));
  expect(settings.get('before', Number)).toBe(1);
});

test('migrations are numbered in sequence', () => {
  using folder = new StorageFolder();
  writeFileSync(`${folder.folder}/0002-later.sql`, '');
  expect(() => loadMigrations(folder.folder)).toThrow(refused('internal'));
  writeFileSync(`${folder.folder}/0001-first.sql`, '');
  expect(loadMigrations(folder.folder).map(({ name }) => name)).toEqual(['first', 'later']);
  writeFileSync(`${folder.folder}/notes.txt`, '');
  expect(() => loadMigrations(folder.folder)).toThrow(refused('internal'));
});

function overwrite(path: string, part: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, Math.floor(bytes.length * part), Math.floor(bytes.length * part) + 4096);
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

function closing(db: Sqlite.Database): Disposable & { readonly db: Sqlite.Database } {
  return { db, [Symbol.dispose]: () => db.close() };
}

test('what an earlier version kept of pictures that it did not know goes, and everything else stays', () => {
  using folder = new StorageFolder();
  const { id: eventId } = event;
  const kinds = (storage: Storage) => storage.attachments.list(eventId).map(({ kind }) => kind);
  {
    using storage = openStorage(folder.deps({ migrations: loadMigrations().slice(0, 23) }));
    storage.spheres.put(sphere);
    storage.events.add(event);
    for (const kind of ['10', '11', 'preview']) storage.attachments.put({ eventId, kind, bytes: Uint8Array.of(1) });
    expect(kinds(storage)).toEqual(['10', '11', 'preview']);
  }
  using storage = openStorage(folder.deps());
  expect(kinds(storage)).toEqual(['11', 'preview']);
});
