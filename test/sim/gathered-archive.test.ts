import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

const LINES = 30;
const TEXTS = Array.from({ length: LINES }, (_, number) => `line ${number}`);

/** Ben is away while Ana says some lines. */
async function backlog(): Promise<{ world: SimWorld; ana: SimPerson; ben: SimPerson }> {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  for (const person of [ana, ben]) person.session.messages.say(person.session.sphere().id, 'hello');
  await world.quiet();
  await ben.stop();
  for (const text of TEXTS) ana.session.messages.say(ana.session.sphere().id, text);
  await world.quiet();
  return { world, ana, ben };
}

const linesOf = ({ session }: SimPerson): string[] =>
  session.storage.messages
    .newest(session.sphere().id, 2 * LINES)
    .map(({ text }) => text)
    .filter((text) => text.startsWith('line'));

/** Something in Ben's database as long as his program does not write. */
function inDatabase({ folder }: SimPerson, sql: string): void {
  const database = new Sqlite(folder.path);
  database.exec(sql);
  database.close();
}

/** What comes after the seventh line is not kept at the end of its transaction, as on a disk that is full. */
const FULL = `
CREATE TABLE full (sphere TEXT REFERENCES sphere (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER on_line AFTER INSERT ON message WHEN (SELECT count(*) FROM message WHERE kind = 'text') > 9
BEGIN INSERT INTO full VALUES ('none'); END`;

test('a backlog is there whole, each line once and in order, and told in fewer words than it has lines', async () => {
  const { world, ben } = await backlog();
  const told: number[] = [];
  await ben.start();
  ben.session.list.onChange.on(({ changes }) => told.push(changes.filter(({ kind }) => kind === 'message').length));
  await world.quiet();
  expect(linesOf(ben)).toEqual(TEXTS);
  expect(ben.session.storage.lost).toBe(0);
  expect(told.reduce((sum, count) => sum + count, 0)).toBe(LINES);
  expect(told.filter((count) => count > 0).length).toBeLessThan(LINES);
});

test('what a full disk takes back of an archive is not told, and is read again, each line once', async () => {
  const { world, ben } = await backlog();
  inDatabase(ben, FULL);
  await ben.start();
  const told = new Set<string>();
  ben.session.list.onChange.on(({ sphere, changes }) => {
    for (const change of changes) {
      if (change.kind !== 'message') continue;
      const row = ben.session.storage.messages.get(change.id);
      if (row === undefined || !sphere.log.has(change.id)) throw new Error('told of a line that is not there');
      told.add(row.text);
    }
  });
  await world.quiet();
  const { session } = ben;
  expect(session.storage.lost).toBeGreaterThan(0);
  expect(linesOf(ben).length).toBeLessThan(LINES);
  expect(session.rooms.isCaughtUp(session.sphere().row.room)).toBe(false);
  expect(session.sphere().log.events().length).toBe(session.storage.events.count(session.sphere().id));
  inDatabase(ben, 'DROP TRIGGER on_line');
  await world.pass(300_000);
  expect(linesOf(ben)).toEqual(TEXTS);
  expect(session.sphere().log.events().length).toBe(session.storage.events.count(session.sphere().id));
  expect([...told].filter((text) => text.startsWith('line')).toSorted()).toEqual(TEXTS.toSorted());
});
