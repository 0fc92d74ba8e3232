import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { event } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import type { Database } from './database.ts';
import { openDatabase } from './database.ts';
import { Storage } from './storage.ts';

const idsIn = (database: Database): unknown[] =>
  database.all<{ id: string }>('SELECT id FROM seen ORDER BY id').map(({ id }) => id);

/** A database in which rows are gathered, and what another program would find after a crash. */
function begin() {
  const folder = new StorageFolder();
  const database = openDatabase(folder.deps());
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

test('what is gathered in one turn comes into the database at its end, and is told only then', async () => {
  const { told, gather, left, ids } = begin();
  gather('a');
  await Promise.resolve();
  gather('b');
  expect([ids(), left(), told]).toEqual([['a', 'b'], [], []]);
  await turn();
  expect([left(), told]).toEqual([
    ['a', 'b'],
    ['kept a', 'kept b'],
  ]);
  gather('c');
  await turn();
  expect([left(), told.at(-1)]).toEqual([['a', 'b', 'c'], 'kept c']);
});

test('one that fails among those that are gathered takes nothing of the others with it', async () => {
  const { database, told, gather, left } = begin();
  gather('a');
  expect(() => gather('b', fail)).toThrow('no');
  gather('c');
  await turn();
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
  await turn();
  expect(told).toEqual(['kept a', 'kept c', 'kept e']);
});

test('what was gathered and cannot be kept is lost as a whole, and whoever gathered it hears of that', async () => {
  const { database, seen, told, gather, spoil, left, ids } = begin();
  gather('a');
  gather('b', spoil);
  await turn();
  expect([ids(), left(), told, database.lost]).toEqual([[], [], ['lost a', 'lost b'], 1]);
  gather('c', spoil);
  expect(() => seen.add('s', 'd', 0)).toThrow(expect.objectContaining({ code: 'conflict' }));
  gather('e');
  await turn();
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
