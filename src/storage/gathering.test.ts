import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { event } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Database } from './database.ts';
import { openDatabase } from './database.ts';
import { Storage } from './storage.ts';

const idsIn = (database: Database): unknown[] =>
  database.all<{ id: string }>('SELECT id FROM seen ORDER BY id').map(({ id }) => id);

/** All that is gathered is kept after the first turn in which nothing is. */
const pause = async (): Promise<void> => {
  await turn();
  await turn();
};

/** Those that SQLite has open. */
const temporaryFiles = (): string[] => {
  const files = readdirSync('/proc/self/fd').flatMap((file) => {
    try {
      return [readlinkSync(`/proc/self/fd/${file}`)];
    } catch {
      // The one that the list was read with is gone.
      return [];
    }
  });
  return files.filter((file) => file.includes('etilqs'));
};

/** A database in which rows are gathered, and what another program would find after a crash. */
function begin(clock: Clock = systemClock) {
  const folder = new StorageFolder();
  const database = openDatabase(folder.deps({ clock }));
  const other = openDatabase(folder.deps());
  onTestFinished(() => {
    for (const one of [database, other, folder]) one[Symbol.dispose]();
  });
  const { seen, events } = new Storage({ database });
  const told: string[] = [];
  const gather = (id: string, after: () => void = () => undefined): void => {
    const work = (): void => {
      seen.add('s', id, 0);
      after();
    };
    database.gather(work, () => ({ kept: () => told.push(`kept ${id}`), lost: () => told.push(`lost ${id}`) }));
  };
  /** What is found at the end of the transaction only, as a full disk is: an event of a sphere that is not there. */
  const spoil = (): void => {
    database.run('PRAGMA defer_foreign_keys = ON');
    events.add(event);
  };
  return { database, seen, told, gather, spoil, left: () => idsIn(other), ids: () => idsIn(database) };
}

const fail = (): never => {
  throw new Error('no');
};

test('what is gathered in turns that follow one another comes into the database together, and is told only then', async () => {
  const { told, gather, left, ids } = begin();
  gather('a');
  await Promise.resolve();
  gather('b');
  await turn();
  gather('c');
  await turn();
  expect([ids(), left(), told]).toEqual([['a', 'b', 'c'], [], []]);
  await turn();
  expect([left(), told]).toEqual([
    ['a', 'b', 'c'],
    ['kept a', 'kept b', 'kept c'],
  ]);
  gather('d');
  await pause();
  expect([left(), told.at(-1)]).toEqual([['a', 'b', 'c', 'd'], 'kept d']);
});

test('whoever looks on while more is gathered in every turn sees it come all the same', async () => {
  let nowMs = 0;
  const { gather, left } = begin({ ...systemClock, monotonic: () => nowMs });
  for (let number = 0; number < 7; number += 1) {
    gather(`${number}`);
    await turn();
    nowMs += 100;
  }
  expect(left()).toEqual(['0', '1', '2', '3']);
});

test.runIf(process.platform === 'linux')('what is gathered makes no file, however many pages it changes', async () => {
  const { database, gather } = begin();
  const change = (sql: string): void => gather(sql, () => void database.run(sql));
  const numbers = 'WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 9999)';
  change(`INSERT INTO seen ${numbers} SELECT 's', CAST(n AS TEXT), 0 FROM number`);
  change('UPDATE seen SET at_ms = 1');
  expect(temporaryFiles()).toEqual([]);
  // As else, where a few parts may change very much.
  database.transaction(() => database.transaction(() => database.run('UPDATE seen SET at_ms = 2')));
  await pause();
  expect(database.one('PRAGMA temp_store')).toEqual({ temp_store: 0 });
});

test('one that fails among those that are gathered takes nothing of the others with it', async () => {
  const { database, told, gather, left } = begin();
  gather('a');
  expect(() => gather('b', fail)).toThrow('no');
  gather('c');
  await pause();
  expect([left(), told, database.lost]).toEqual([['a', 'c'], ['kept a', 'kept c'], 0]);
});

test('whatever else is written comes after what was gathered, and the first that is settled takes that along', async () => {
  const { database, seen, told, gather, left } = begin();
  gather('a');
  seen.add('s', 'b', 0);
  expect(left()).toEqual(['a', 'b']);
  gather('c');
  // Whoever writes in the middle of something hears of nothing before it is done.
  database.transaction(() => seen.add('s', 'd', 0));
  expect([left(), told]).toEqual([['a', 'b', 'c', 'd'], []]);
  gather('e');
  database.settle();
  expect(left()).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(database.transaction(() => database.one('PRAGMA synchronous'))).toEqual({ synchronous: 2 });
  await pause();
  expect(told).toEqual(['kept a', 'kept c', 'kept e']);
});

test('what was gathered and cannot be kept is lost as a whole, and whoever gathered it hears of that', async () => {
  const { database, seen, told, gather, spoil, left, ids } = begin();
  gather('a');
  gather('b', spoil);
  await pause();
  expect([ids(), left(), told, database.lost]).toEqual([[], [], ['lost a', 'lost b'], 1]);
  gather('c', spoil);
  expect(() => seen.add('s', 'd', 0)).toThrow(expect.objectContaining({ code: 'conflict' }));
  gather('e');
  await pause();
  expect([left(), told.slice(2), database.lost]).toEqual([['e'], ['lost c', 'kept e'], 2]);
});

test('nothing is gathered within something else, which would end it or be ended by it', () => {
  const { database, gather, ids } = begin();
  const inner = (): void => database.transaction(() => gather('a'));
  expect(inner).toThrow(expect.objectContaining({ code: 'internal' }));
  expect(ids()).toEqual([]);
});

test('what was gathered last is kept when the database is closed', () => {
  using folder = new StorageFolder();
  const database = openDatabase(folder.deps());
  const unheard = { kept: () => undefined, lost: () => undefined };
  database.gather(
    () => new Storage({ database }).seen.add('s', 'a', 0),
    () => unheard,
  );
  database[Symbol.dispose]();
  using again = openDatabase(folder.deps());
  expect(idsIn(again)).toEqual(['a']);
});

test('a database is closed without a word when what was gathered last cannot be kept, for whoever gathered it hears of that', () => {
  const { database, told, gather, spoil, left } = begin();
  gather('a', spoil);
  expect(() => database[Symbol.dispose]()).not.toThrow();
  expect([left(), told]).toEqual([[], ['lost a']]);
});
