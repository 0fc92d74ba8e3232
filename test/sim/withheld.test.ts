import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import type { SignedEvent } from '../../src/spheres/protocol/event.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { attr, xml } from '../../src/xmpp/element.ts';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import type { Kept } from './sim-server.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;

/** Time passes in steps short enough for questions and answers to go to and fro. */
async function wait(world: SimWorld, ms: number): Promise<void> {
  for (let step = 0; step < 8; step += 1) await world.pass(ms / 8);
}

/** What Eva is told of; `isHidden`: whether what is said from now on comes to her, live and out of the archive. */
async function three() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const { id } = await world.sphere(ana, ben, eva);
  await wait(world, 15 * MINUTE);
  const server = { isHidden: false, hidden: new Set<string | null>(), questions: 0 };
  world.server.deliver = (message, to) => {
    if (readEphemeral(message.stanza) !== undefined) return [message];
    if (server.isHidden) server.hidden.add(message.stanzaId);
    return to === eva.jid && message.from !== to && server.hidden.has(message.stanzaId) ? [] : [message];
  };
  world.server.answerHistory = (entries) => {
    server.questions += 1;
    return entries.filter((entry) => !server.hidden.has(entry.id));
  };
  const told: { count: number; by: readonly string[] }[] = [];
  const listen = (): void =>
    void eva.session.logs.withheld.onFound.on((sphere) => {
      const { count, by } = eva.session.logs.withheld.found(sphere) ?? { count: 0, by: [] };
      told.push({ count, by: by.toSorted() });
    });
  listen();
  const say = async (person: SimPerson, text: string, isHidden = false): Promise<void> => {
    server.isHidden = isHidden;
    person.session.messages.say(id, text);
    await world.pass(5_000);
    server.isHidden = false;
  };
  return { world, ana, ben, eva, id, server, told, listen, say };
}
type Three = Awaited<ReturnType<typeof three>>;

/** Eva was away while these were said; what is marked stands in no archive. */
async function whileAway(
  { world, eva, say, listen }: Three,
  lines: readonly (readonly [SimPerson, string, boolean?])[],
) {
  await eva.stop();
  await world.quiet();
  for (const line of lines) await say(...line);
  await eva.start();
  listen();
  await wait(world, 40 * MINUTE);
}

const texts = ({ eva }: Three): string[] => eva.session.texts().toSorted();

test('messages that a server hides live and in its archive are told as one, with who gave them', async () => {
  const at = await three();
  const { world, ana, ben, say, told } = at;
  for (const one of [ana, ben]) await say(one, `${one.name} first`);
  await say(ana, 'one', true);
  await say(ana, 'two', true);
  await say(ben, 'three', true);
  for (const one of [ana, ben]) await say(one, `${one.name} last`);
  await wait(world, 8 * MINUTE);
  expect(texts(at)).toHaveLength(7);
  expect(told).toEqual([]);
  await wait(world, 20 * MINUTE);
  expect(told.map(({ count }) => count)).toEqual([3]);
  expect(told[0]?.by.length).toBeGreaterThan(0);
  await wait(world, 3 * 60 * MINUTE);
  expect(told).toHaveLength(1);
});

test('the last word is told of when its author has said something after it that came', async () => {
  const { world, ana, say, told } = await three();
  await say(ana, 'first');
  await say(ana, 'hidden', true);
  await wait(world, 40 * MINUTE);
  expect(told).toEqual([]);
  await say(ana, 'later');
  await wait(world, 40 * MINUTE);
  expect(told.map(({ count }) => count)).toEqual([1]);
});

test('what an archive leaves out here and there of what was said while one was away is told', async () => {
  const at = await three();
  const { ana, ben } = at;
  await whileAway(at, [
    [ana, '1'],
    [ben, '2'],
    [ana, '3', true],
    [ana, '4'],
    [ben, '5'],
    [ben, '6', true],
    [ben, '7'],
  ]);
  expect(texts(at)).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  expect(at.told.map(({ count }) => count)).toEqual([2]);
});

test('of one stretch that an archive lost while one was away nothing is told: the server may have broken down', async () => {
  const at = await three();
  const { ana, ben } = at;
  await whileAway(at, [
    [ana, '1'],
    [ben, '2'],
    [ana, '3', true],
    [ben, '4', true],
    [ana, '5', true],
    [ben, '6'],
    [ana, '7'],
  ]);
  expect(texts(at)).toHaveLength(7);
  expect(at.told).toEqual([]);
});

test.each([
  ['has expired', (entries: readonly Kept[]) => entries.slice(-1)],
  ['is off', () => []],
  ['is off for what is newer', (entries: readonly Kept[]) => entries.slice(0, 2)],
])('of what members gave because the archive %s nothing is told', async (_, answer) => {
  const at = await three();
  const { world, ana, ben, say } = at;
  for (const one of [ana, ben]) await say(one, `${one.name} first`);
  world.server.answerHistory = (entries) => answer(entries);
  await whileAway(at, [
    [ana, 'while eva was away'],
    [ben, 'this too'],
  ]);
  for (const one of [ana, ben]) await say(one, `${one.name} last`);
  await wait(world, 40 * MINUTE);
  expect(texts(at)).toHaveLength(6);
  expect(at.told).toEqual([]);
});

test('of what got lost on the way, and stands in the archive by the time it is asked, nothing is told', async () => {
  const at = await three();
  const { world, ana, say, server } = at;
  await say(ana, 'first');
  await say(ana, 'lost', true);
  await say(ana, 'last');
  await wait(world, 5 * MINUTE);
  expect(texts(at)).toEqual(['first', 'last', 'lost']);
  server.hidden.clear();
  await wait(world, 40 * MINUTE);
  expect(at.told).toEqual([]);
});

test('of a message that a moderator took away, so that its entry names nothing, nothing is told', async () => {
  const at = await three();
  const { world, ana, say, server } = at;
  await say(ana, 'first');
  await say(ana, 'taken away', true);
  await say(ana, 'last');
  world.server.answerHistory = (entries) =>
    entries.map((entry) =>
      server.hidden.has(entry.id) ? { ...entry, stanza: xml('message', { type: 'groupchat' }) } : entry,
    );
  await wait(world, 40 * MINUTE);
  expect(texts(at)).toContain('taken away');
  expect(at.told).toEqual([]);
});

test('of what its author gave before it could leave for the room nothing is told', async () => {
  const at = await three();
  const { world, ben, say } = at;
  const down = new AppError('server-unreachable', 'the room failed');
  const isLine = (stanza: Element): boolean =>
    attr(stanza, 'type') === 'groupchat' && readEphemeral(stanza) === undefined;
  await say(ben, 'first');
  ben.session.link.beforeSend = (stanza) => (isLine(stanza) ? Promise.reject(down) : Promise.resolve());
  await say(ben, 'held up');
  await wait(world, 15 * MINUTE);
  expect(texts(at)).toContain('held up');
  ben.session.link.beforeSend = () => Promise.resolve();
  await wait(world, 4 * MINUTE);
  await say(ben, 'last');
  await wait(world, 30 * MINUTE);
  expect(at.told).toEqual([]);
});

test('of what was said in the room that a sphere has left, and that is gone, nothing is told', async () => {
  const at = await three();
  const { world, ana, ben, eva, id, say, listen } = at;
  for (const one of [ana, ben]) await say(one, `${one.name} first`);
  await eva.stop();
  for (const one of [ana, ben]) await say(one, `${one.name} in the old room`);
  await world.server.stop('rooms.sim');
  await ana.session.mover.move(id, 'other.sim', noSignal);
  await wait(world, MINUTE);
  for (const one of [ana, ben]) await say(one, `${one.name} in the new room`);
  await eva.start();
  listen();
  await wait(world, 20 * MINUTE);
  for (const one of [ana, ben]) await say(one, `${one.name} last`);
  await wait(world, 40 * MINUTE);
  expect(texts(at)).toHaveLength(8);
  expect(at.told).toEqual([]);
});

test('where everything comes the archive is not asked', async () => {
  const { world, ana, ben, say, server } = await three();
  for (let line = 0; line < 6; line += 1) await say(line % 2 === 0 ? ana : ben, `line ${line}`);
  await wait(world, 5 * 60 * MINUTE);
  expect(server.questions).toBe(0);
});

test('what a server kept back is known over a restart, until the person has read of it', async () => {
  const { world, ana, eva, say } = await three();
  const found = (): number | undefined => eva.session.logs.withheld.found(eva.session.sphere())?.count;
  const again = async (): Promise<void> => {
    await eva.stop();
    await eva.start();
  };
  await say(ana, 'first');
  await say(ana, 'hidden', true);
  await say(ana, 'last');
  await wait(world, 40 * MINUTE);
  await again();
  expect(found()).toBe(1);
  await wait(world, 26 * 60 * MINUTE);
  expect(found()).toBe(1);
  eva.session.logs.withheld.read(eva.session.sphere());
  expect(found()).toBeUndefined();
  await again();
  expect(found()).toBeUndefined();
});

test('what a member gave before a restart is looked for in the archive after it', async () => {
  const { world, ana, eva, say, told, listen } = await three();
  await say(ana, 'first');
  await say(ana, 'hidden', true);
  await say(ana, 'last');
  await wait(world, 5 * MINUTE);
  expect(told).toEqual([]);
  await eva.stop();
  await eva.start();
  listen();
  await wait(world, 40 * MINUTE);
  expect(told.map(({ count }) => count)).toEqual([1]);
});

test('what the room gives after all was not kept back', async () => {
  const { world, ana, eva, say } = await three();
  const shown: (number | null)[] = [];
  const { withheld } = eva.session.logs;
  withheld.onChange.on((sphere) => shown.push(withheld.found(sphere)?.count ?? null));
  await say(ana, 'first');
  for (const text of ['one', 'two']) await say(ana, text, true);
  await say(ana, 'last');
  await wait(world, 40 * MINUTE);
  const sphere = eva.session.sphere();
  const { storage, log } = { storage: eva.session.storage, log: sphere.log };
  const [event] = storage.givenEvents
    .list()
    .flatMap(({ state, eventId }) => (state === 'withheld' ? (log.get(eventId) ?? []) : []));
  if (event === undefined) throw new Error('nothing was found');
  withheld.heard(sphere, [event]);
  expect(shown).toEqual([2, 1]);
  await eva.stop();
  await eva.start();
  expect(eva.session.logs.withheld.found(eva.session.sphere())?.count).toBe(1);
});

/** Something else that a member gives, of which nobody knows anything. */
const other = (number: number): SignedEvent => ({ id: number.toString(16).padStart(64, '0') }) as SignedEvent;

test('however much members give, what the person has not read of stays, and what is looked for already goes first', async () => {
  const { world, ana, eva, say } = await three();
  const sphere = () => eva.session.sphere();
  await say(ana, 'first');
  await say(ana, 'hidden', true);
  await say(ana, 'last');
  await wait(world, 40 * MINUTE);
  const { withheld } = eva.session.logs;
  const many = Array.from({ length: 1500 }, (_, number) => other(number));
  withheld.given(sphere(), many, ana.jid);
  expect(withheld.found(sphere())?.count).toBe(1);
  expect(eva.session.storage.givenEvents.list()).toHaveLength(1024);
  withheld.read(sphere());
  const read = eva.session.storage.givenEvents.list().filter(({ state }) => state === 'asked');
  expect(read).toHaveLength(1);
  withheld.given(sphere(), [other(1500)], ana.jid);
  const left = eva.session.storage.givenEvents.list();
  expect(left.filter(({ state }) => state === 'asked')).toEqual([]);
  expect(left).toHaveLength(1024);
});

test('where nothing of all that was kept back was read, the oldest of it makes room for what is new', async () => {
  const { ana, eva } = await three();
  const { id } = eva.session.sphere();
  const rows = Array.from({ length: 1024 }, (_, number) => ({ eventId: other(number).id, atMs: number }));
  for (const row of rows) {
    eva.session.storage.givenEvents.put({ ...row, sphereId: id, by: ana.jid, isLive: true, state: 'withheld' });
  }
  await eva.stop();
  await eva.start();
  const { withheld } = eva.session.logs;
  withheld.given(eva.session.sphere(), [other(5000), other(5001)], ana.jid);
  const left = eva.session.storage.givenEvents.list().map(({ eventId }) => eventId);
  const has = (...numbers: number[]): boolean[] => numbers.map((number) => left.includes(other(number).id));
  expect([left.length, ...has(0, 1, 2, 1023, 5000, 5001)]).toEqual([1024, false, false, true, true, true, true]);
});
