import { expect, test } from 'vitest';
import { followNotices } from '../../src/engine/notices.ts';
import type { EventId } from '../../src/base/id.ts';
import { viewMessage } from '../../src/engine/message-view.ts';
import type { MessageView } from '../../src/contract/views.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

async function two(): Promise<{ world: SimWorld; ana: SimPerson; ben: SimPerson }> {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  return { world, ana, ben };
}

const sphereOf = ({ session }: SimPerson) => session.sphere().id;
const say = (person: SimPerson, text: string, replyTo: EventId | null = null): EventId =>
  person.session.messages.say(sphereOf(person), text, { replyTo });

/** A line as this person's program shows it. */
function view({ session }: SimPerson, id: EventId): MessageView {
  const row = session.storage.messages.get(id);
  if (row === undefined) throw new Error('no such line');
  return viewMessage(session, row);
}

const unread = ({ session }: SimPerson): number =>
  session.storage.messages.countUnread(session.sphere().row, session.own);

test('a line is queued, sent, delivered and seen, each only when it is true', async () => {
  const { world, ana, ben } = await two();
  ana.session.link.goOffline();
  const id = say(ana, 'hello');
  expect(view(ana, id)).toMatchObject({ state: 'queued', delivery: { devices: 1, reached: 0, seenBy: [] } });
  await ben.stop();
  await ana.session.goOnline();
  await world.quiet();
  expect(view(ana, id)).toMatchObject({ state: 'sent', delivery: { devices: 1, reached: 0, seenBy: [] } });
  await ben.start();
  await world.pass(5_000);
  expect(view(ana, id)).toMatchObject({ state: 'delivered', delivery: { devices: 1, reached: 1, seenBy: [] } });
  expect(unread(ben)).toBe(1);
  ben.session.reading.markRead(sphereOf(ben), 'all');
  await world.pass(10_000);
  expect(unread(ben)).toBe(0);
  expect(view(ana, id)).toMatchObject({ state: 'seen', delivery: { devices: 1, reached: 1, seenBy: ['Ben'] } });
});

test('whoever was away when a line arrived learns at the next meeting that it did', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, 'good night');
  world.server.deliver = (message, to) => (to === ana.jid && message.from === ben.jid ? [] : [message]);
  await world.pass(5_000);
  expect(view(ana, id).state).toBe('sent');
  await ana.stop();
  world.server.deliver = (message) => [message];
  await ana.start();
  await world.pass(5_000);
  expect(view(ana, id).state).toBe('delivered');
});

test('a person whose program tells nothing is named as unknown', async () => {
  const { world, ana, ben } = await two();
  const eve = await world.person('eve');
  await ana.session.members.invite(sphereOf(ana), eve.jid, new AbortController().signal);
  const id = say(ana, 'is anybody there?');
  await world.pass(5_000);
  expect(view(ana, id).delivery).toEqual({ devices: 1, reached: 1, seenBy: [], unknown: ['Eve'] });
  expect(view(ben, id).delivery).toBeNull();
});

test('looking at shared things only does not tell that the words were seen', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, 'words');
  await ana.share('beach.mp4');
  await world.pass(5_000);
  expect(unread(ben)).toBe(2);
  ben.session.reading.markRead(sphereOf(ben), 'items');
  await world.pass(10_000);
  expect(unread(ben)).toBe(1);
  expect(view(ana, id).state).toBe('delivered');
  ben.session.reading.markRead(sphereOf(ben), 'all');
  await world.pass(10_000);
  expect(view(ana, id).state).toBe('seen');
});

test('reading tells once, and being told makes nobody tell anything', async () => {
  const { world, ana, ben } = await two();
  for (const text of ['one', 'two', 'three']) say(ana, text);
  await world.pass(5_000);
  ben.session.reading.markRead(sphereOf(ben), 'all');
  await world.pass(60_000);
  for (const { session } of [ana, ben]) session.reading.markRead(session.sphere().id, 'all');
  await world.pass(60_000);
  const marks = ana.session
    .sphere()
    .log.events()
    .filter(({ type }) => type === 'read');
  expect(marks.map(({ header }) => header.device)).toEqual([ben.session.identity.device.id]);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('what was read before a crash is told after it', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, 'hello');
  await world.pass(5_000);
  ben.session.storage.messages.markRead(sphereOf(ben), null);
  await ben.stop();
  await ben.start();
  await world.pass(10_000);
  expect(view(ana, id).state).toBe('seen');
});

test('an answer shows what it answers, also when that came later', async () => {
  const { world, ana, ben } = await two();
  const question = say(ana, 'who brings the cake?');
  await world.quiet();
  const answer = say(ben, 'I do', question);
  await world.quiet();
  const quote = { id: question, kind: 'text', fromName: 'Ana', text: 'who brings the cake?' };
  expect(view(ana, answer).replyTo).toEqual(quote);
  const comment = say(ana, 'what a film', (await ben.share('beach.mp4')) as string as EventId);
  await world.quiet();
  expect(view(ben, comment).replyTo).toMatchObject({ kind: 'item', fromName: 'Ben' });
});

test('reactions are seen by everybody, are one set per person and can be taken back', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, 'we are married');
  await world.quiet();
  ben.session.messages.react(sphereOf(ben), id, ['🎉', '❤️']);
  await world.quiet();
  ana.session.messages.react(sphereOf(ana), id, ['❤️']);
  await world.quiet();
  expect(view(ana, id).reactions).toEqual([
    { sign: '🎉', people: ['Ben'], mine: false },
    { sign: '❤️', people: ['Ben', 'Ana'], mine: true },
  ]);
  ben.session.messages.react(sphereOf(ben), id, []);
  await world.quiet();
  expect(view(ana, id).reactions).toEqual([{ sign: '❤️', people: ['Ana'], mine: true }]);
});

test('an edit changes the text for everybody, also for those who get it before the message', async () => {
  const { world, ana, ben } = await two();
  const held: (() => void)[] = [];
  const { room } = ana.session.sphere().row;
  world.server.deliver = (message, to) => {
    if (to !== ben.jid || message.stanzaId === null || held.length > 0) return [message];
    held.push(() => [...world.server.room(room).ports].find(({ own }) => own === to)?.receive(message));
    return [];
  };
  const id = say(ana, 'see you at sevn');
  await world.quiet();
  ana.session.messages.edit(sphereOf(ana), id, 'see you at seven');
  await world.quiet();
  expect(ben.session.texts()).toEqual([]);
  for (const release of held) release();
  await world.quiet();
  for (const person of [ana, ben]) {
    expect(view(person, id)).toMatchObject({ text: 'see you at seven', change: 'edited' });
    expect(person.session.texts()).toEqual(['see you at seven']);
  }
});

test('a member cannot edit what somebody else said, nor take it away', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, 'my words');
  await world.quiet();
  const { list, messages } = ben.session;
  expect(() => messages.edit(sphereOf(ben), id, 'other words')).toThrow(/own words/);
  expect(() => messages.retract(sphereOf(ben), id, false)).toThrow(/owner and admins/);
  // A program that does it all the same.
  const audience = { kind: 'members' } as const;
  list.publish(ben.session.sphere(), 'retract', { target: id, isUndone: false }, { audience });
  list.publish(ben.session.sphere(), 'edit', { target: id, textSha256: '0'.repeat(64) }, { audience });
  ben.session.outgoing.poke();
  await world.quiet();
  for (const person of [ana, ben]) expect(view(person, id)).toMatchObject({ text: 'my words', change: 'none' });
});

test('what is taken away is gone from every screen, and comes back when that is undone', async () => {
  const { world, ana, ben } = await two();
  const id = say(ben, 'oops');
  await world.quiet();
  ana.session.messages.retract(sphereOf(ana), id, false);
  await world.quiet();
  for (const person of [ana, ben]) expect(view(person, id)).toMatchObject({ text: '', change: 'retracted' });
  ana.session.messages.retract(sphereOf(ana), id, true);
  await world.quiet();
  for (const person of [ana, ben]) expect(view(person, id)).toMatchObject({ text: 'oops', change: 'none' });
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a newcomer sees texts as they stand now', async () => {
  const { world, ana, ben } = await two();
  const edited = say(ana, 'frist');
  const taken = say(ben, 'never mind');
  await world.quiet();
  ana.session.messages.edit(sphereOf(ana), edited, 'first');
  ben.session.messages.retract(sphereOf(ben), taken, false);
  ben.session.messages.react(sphereOf(ben), edited, ['👍']);
  await world.quiet();
  const zoe = await world.person('zoe');
  await world.bringIn(ana, zoe);
  expect(view(zoe, edited)).toMatchObject({ text: 'first', change: 'edited', reactions: [{ sign: '👍' }] });
  expect(view(zoe, taken)).toMatchObject({ text: '', change: 'retracted' });
});

test('whoever is spoken to by name is told once, and nobody else', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const { id } = await world.sphere(ana, ben, eve);
  const told = [ben, eve].map((person) => {
    const notices: object[] = [];
    followNotices(person.session.shown, (notice) => notices.push(notice), world.clock);
    return notices;
  });
  const mentions = [ben.session.identity.author.person];
  const line = ana.session.messages.say(id, '@Ben, come!', { mentions });
  ana.session.outgoing.poke();
  await world.quiet();
  ana.session.messages.react(id, line, ['🎉']);
  ana.session.outgoing.poke();
  await world.quiet();
  expect(told).toEqual([[{ code: 'mentioned', params: { person: 'Ana', sphere: 'Summer' } }], []]);
});
