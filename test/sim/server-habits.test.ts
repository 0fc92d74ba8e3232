import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { followNotices } from '../../src/engine/notices.ts';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import type { RoomMessage } from '../../src/xmpp/room-types.ts';
import type { Kept } from './sim-server.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function three() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  await wait(world, 15 * MINUTE);
  const found: string[] = [];
  const listen = (): void =>
    void eva.session.logs.habits.onFound.on(({ sphere: of, habit }) => found.push(`${of.state.name} ${habit}`));
  listen();
  const say = async (person: SimPerson, text: string): Promise<void> => {
    person.session.messages.say(sphere.id, text);
    await world.pass(5_000);
  };
  const lines = async (count: number, label = 'line'): Promise<void> => {
    for (let number = 0; number < count; number += 1) await say(number % 2 === 0 ? ana : ben, `${label} ${number}`);
  };
  return { world, ana, ben, eva, room: sphere.row.room, found, listen, say, lines };
}
type Three = Awaited<ReturnType<typeof three>>;

/** Time passes in steps short enough for questions and answers to go to and fro. */
async function wait(world: SimWorld, ms: number): Promise<void> {
  for (let step = 0; step < 8; step += 1) await world.pass(ms / 8);
}

/** What people said, as the archive holds it. */
const said = ({ world, room }: Three): Kept[] => [...world.server.room(room).archive].slice(-8);

test('a server that says again what was said long ago is told of once, and shows nothing twice', async () => {
  const at = await three();
  const { world, eva, room, found, lines } = at;
  await lines(8);
  await wait(world, 24 * HOUR);
  const shown = eva.session.texts();
  for (const { from, stanza } of said(at)) world.server.sayInRoom(room, from, stanza);
  await world.quiet();
  expect([found, eva.session.texts()]).toEqual([['Summer repeats'], shown]);
});

test('what a resumed connection says again, and what comes twice under one id of the archive, is not told', async () => {
  const at = await three();
  const { world, eva, room, found, lines } = at;
  await lines(8);
  for (const { from, stanza } of said(at)) world.server.sayInRoom(room, from, stanza);
  await wait(world, 24 * HOUR);
  // As when our own connection is resumed after the night, and when the archive is read from where it was left.
  const [port] = [...world.server.room(room).ports].filter(({ own }) => own === eva.jid);
  for (const { id, from, stanza } of said(at)) {
    const again: RoomMessage = {
      ...{ stanza, from, nick: from, stanzaId: id, archived: false, isReflection: false, delayMs: null },
    };
    port?.receive(again);
  }
  await world.quiet();
  await eva.stop();
  await eva.start();
  at.listen();
  await wait(world, HOUR);
  expect(found).toEqual([]);
});

test('what an archive that was set up anew gives under other ids is not told', async () => {
  const at = await three();
  const { world, eva, room, found, lines } = at;
  await lines(8);
  await wait(world, 24 * HOUR);
  await eva.stop();
  world.server.answerHistory = () =>
    world.server.room(room).archive.map((kept, number) => ({ ...kept, id: `anew-${number}` }));
  await eva.start();
  at.listen();
  await wait(world, HOUR);
  expect(found).toEqual([]);
});

/** From each author the next line comes to Eva before this one. */
function swapping({ world, eva }: Three, isSwapped: (number: number) => boolean): void {
  const kept = new Map<string, { count: number; late: RoomMessage[] }>();
  world.server.deliver = (message, to) => {
    if (to !== eva.jid || message.from === null || readEphemeral(message.stanza) !== undefined) return [message];
    const author = kept.get(message.from) ?? { count: 0, late: [] };
    kept.set(message.from, author);
    author.count += 1;
    if (isSwapped(author.count)) {
      author.late.push(message);
      return [];
    }
    return [message, ...author.late.splice(0)];
  };
}

test('a server that mixes up what each of them says is told of once, and everything arrives', async () => {
  const at = await three();
  swapping(at, (number) => number % 2 === 1);
  await at.lines(20);
  await wait(at.world, HOUR);
  expect(at.found).toEqual(['Summer reorders']);
  expect(at.eva.session.texts().toSorted()).toEqual(at.ana.session.texts().toSorted());
});

test('a line that comes late now and then, and lines of two people that change places, are not told', async () => {
  const at = await three();
  swapping(at, (number) => number % 12 === 1);
  await at.lines(48);
  await wait(at.world, HOUR);
  expect(at.found).toEqual([]);
});

/** Eva is away for some hours while the others talk, and the archive answers like this from then on. */
async function away(at: Three, answer: (entries: readonly Kept[], nowMs: number) => readonly Kept[]): Promise<void> {
  const { world, eva, lines, listen } = at;
  await lines(2, 'before');
  world.server.answerHistory = (entries) => answer(entries, world.clock.now());
  await eva.stop();
  await lines(4, 'meanwhile');
  await wait(world, 5 * HOUR);
  await lines(2, 'just now');
  await eva.start();
  listen();
  await wait(world, 40 * MINUTE);
  await lines(2, 'after');
  await wait(world, 40 * MINUTE);
}

const withinMs = (ms: number) => (entries: readonly Kept[], nowMs: number) =>
  entries.filter(({ atMs }) => nowMs - atMs < ms);

test('an archive that forgets within an hour is told of once, and what was said meanwhile comes from the others', async () => {
  const at = await three();
  await away(at, withinMs(HOUR));
  expect(at.found).toEqual(['Summer forgets']);
  expect(at.eva.session.texts()).toHaveLength(10);
});

test.each([
  ['keeps a week', withinMs(7 * 24 * HOUR)],
  ['keeps nothing', () => []],
  ['keeps nothing newer', (entries: readonly Kept[]) => entries.slice(0, 2)],
])('of an archive that %s nothing is told', async (_, answer) => {
  const at = await three();
  await away(at, answer);
  expect(at.found).toEqual([]);
  expect(at.eva.session.texts()).toHaveLength(10);
});

test('each is told in plain words, once a month and sphere', async () => {
  const { world, eva } = await three();
  const told: string[] = [];
  followNotices(
    eva.session as never,
    ({ code, params }) => told.push(`${code} ${params['sphere']} ${params['server']}`),
    world.clock,
  );
  const [sphere, { habits }] = [eva.session.sphere(), eva.session.logs];
  const all = ['repeats', 'reorders', 'forgets', 'repeats'] as const;
  for (const habit of all) habits.onFound.emit({ sphere, habit });
  const expected = ['messages-repeated', 'messages-reordered', 'archive-forgets'].map(
    (code) => `${code} Summer rooms.sim`,
  );
  expect(told).toEqual(expected);
  const words = JSON.parse(readFileSync('src/ui/i18n/en.json', 'utf8')) as {
    notice: Record<string, { title: string }>;
  };
  for (const line of told) expect(words.notice[line.split(' ')[0] ?? '']?.title).toContain('{sphere}');
  await world.clock.advance(31 * 24 * HOUR);
  habits.onFound.emit({ sphere, habit: 'repeats' });
  expect(told).toHaveLength(4);
});
