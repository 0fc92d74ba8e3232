import { expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import { AppError } from '../../src/base/errors.ts';
import type { EventId } from '../../src/base/id.ts';
import { attachment, encodeEnvelope, entryOf } from '../../src/spheres/protocol/envelope.ts';
import { buildAnyEvent, buildEvent } from '../../src/spheres/protocol/event.ts';
import { generateSigningKey, sha256Hex } from '../../src/spheres/protocol/keys.ts';
import { systemRandom } from '../../src/base/random.ts';
import { attr, xml } from '../../src/xmpp/element.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const DAY_MS = 24 * 3_600_000;

async function three(): Promise<{ world: SimWorld; ana: SimPerson; ben: SimPerson; eve: SimPerson }> {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  await world.sphere(ana, ben, eve);
  return { world, ana, ben, eve };
}

const say = (person: SimPerson, text: string): EventId => person.session.messages.say(person.session.sphere().id, text);

test('a member who was away gets everything once and in order, whatever the archive repeats', async () => {
  const { world, ana, ben, eve } = await three();
  await ben.stop();
  const texts = Array.from({ length: 12 }, (_, number) => `message ${number}`);
  for (const [number, text] of texts.entries()) {
    say(number % 3 === 0 ? eve : ana, text);
    await world.quiet();
  }
  world.server.answerHistory = (entries) => entries.flatMap((entry) => Array(1 + world.chance(3)).fill(entry));
  await ben.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual(texts);
  await ben.stop();
  // The archive has forgotten where we were, and begins again.
  world.server.answerHistory = (_, room) => world.server.room(room).archive;
  await ben.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual(texts);
});

test('live messages that arrive doubled and in disorder are shown once each, and all logs agree', async () => {
  const { world, ana, ben, eve } = await three();
  const held: (() => void)[] = [];
  world.server.deliver = (message, to) => {
    if (to !== ben.jid) return [message];
    held.push(() =>
      [...world.server.room(ana.session.sphere().row.room).ports].find(({ own }) => own === to)?.receive(message),
    );
    return [];
  };
  for (let number = 0; number < 6; number += 1) {
    say(number % 2 === 0 ? ana : eve, `message ${number}`);
    await world.quiet();
  }
  for (const release of world.shuffled([...held, ...held])) release();
  await world.quiet();
  expect(ben.session.texts().toSorted()).toEqual(Array.from({ length: 6 }, (_, number) => `message ${number}`));
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a message the room hid while we were there comes from its archive at the next entry', async () => {
  const { world, ana, ben } = await three();
  world.server.deliver = (message, to) => (to === ben.jid ? [] : [message]);
  say(ana, 'hidden from ben');
  await world.quiet();
  expect(ben.session.texts()).toEqual([]);
  world.server.deliver = (message) => [message];
  ben.session.link.goOffline();
  await ben.session.goOnline();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['hidden from ben']);
});

test('a crash between keeping the ciphertext and sending it sends once more and shows once', async () => {
  const { world, ana, ben } = await three();
  for (const moment of ['beforeSend', 'afterSend'] as const) {
    const reached = Promise.withResolvers<void>();
    ana.session.link[moment] = () => {
      reached.resolve();
      return new Promise(() => undefined);
    };
    say(ana, moment);
    await reached.promise;
    await ana.stop();
    await ana.start();
    await world.quiet();
  }
  expect(ben.session.texts()).toEqual(['beforeSend', 'afterSend']);
  expect(ana.session.texts()).toEqual(['beforeSend', 'afterSend']);
  expect(ana.session.lines().map(({ state }) => state)).not.toContain('queued');
});

test('what was said without a connection leaves in its order when there is one', async () => {
  const { world, ana, ben } = await three();
  ana.session.link.goOffline();
  for (const text of ['one', 'two', 'three']) say(ana, text);
  await world.quiet();
  expect(ana.session.lines().filter(({ state }) => state === 'queued')).toHaveLength(3);
  await ana.session.goOnline();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['one', 'two', 'three']);
  expect(ana.session.lines().filter(({ state }) => state === 'queued')).toHaveLength(0);
});

test('a server that throws a member out does not make what they said disappear', async () => {
  const { world, ana, ben } = await three();
  const { room } = ana.session.sphere().row;
  ana.session.link.goOffline();
  say(ana, 'still here');
  world.server.setAffiliation(room, ana.jid, 'none');
  await ana.session.goOnline();
  await world.quiet();
  expect(ana.session.sphere().row.state).toBe('joined');
  expect(ana.session.outgoing.isIdle).toBe(true);
  expect(ben.session.texts()).toEqual([]);
  world.server.setAffiliation(room, ana.jid, 'member');
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['still here']);
});

test('a message that could not be kept for lack of room on the disk is read again when there is some', async () => {
  const { world, ana, ben } = await three();
  const { messages } = ben.session.storage;
  const { add } = messages;
  messages.add = () => {
    throw new AppError('disk-full', 'the disk has no room for the database');
  };
  say(ana, 'first');
  say(ana, 'second');
  await world.quiet();
  expect(ben.session.texts()).toEqual([]);
  messages.add = add;
  await world.pass(10_000);
  expect(ben.session.texts()).toEqual(['first', 'second']);
});

test('a program error with one message leaves it unreadable and the ones after it whole', async () => {
  const { world, ana, ben } = await three();
  const { messages } = ben.session.storage;
  const { add } = messages;
  let isFirst = true;
  messages.add = (row) => {
    if (!isFirst) return add.call(messages, row);
    isFirst = false;
    throw new TypeError('a bug');
  };
  say(ana, 'first');
  await world.quiet();
  say(ana, 'second');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['(undecryptable)', 'second']);
});

test('an event signed by another device than it names is shown as forged and does nothing', async () => {
  const { world, ana, ben, eve } = await three();
  const sphere = eve.session.sphere();
  const { person } = ana.session.identity.author;
  const header = { ...sphere.log.nextHeader(ana.session.identity.device.id, 0) };
  const text = toUtf8('I, Ana, give you everything');
  const stranger = generateSigningKey<never>(systemRandom);
  const event = buildEvent({ person, device: stranger }, { ...header, sequence: 0, previous: null }, 'message', {
    textSha256: sha256Hex(text),
    replyTo: null,
  });
  const entry = { ...entryOf(event), signature: new Uint8Array(64).fill(1) };
  const line = 'I, Ana, give you everything';
  sphere.enqueueEnvelope(event.id, encodeEnvelope([entry]), sphere.row.room, { audience: { kind: 'members' }, line });
  eve.session.outgoing.poke();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['(forged)']);
  expect(ben.session.sphere().log.has(event.id)).toBe(false);
  expect(ben.session.lines().at(-1)?.from).toBe(eve.jid);
});

test('a line that differs from what was signed is shown as forged', async () => {
  const { world, ben, eve } = await three();
  const sphere = eve.session.sphere();
  const text = toUtf8('what was signed');
  const body = { textSha256: sha256Hex(text), replyTo: null };
  const { author } = eve.session.identity;
  const event = buildEvent(author, sphere.log.nextHeader(author.device.id, 0), 'message', body);
  const line = 'what ordinary clients see';
  sphere.enqueue(event, [attachment('text', text)], { audience: { kind: 'members' }, line });
  eve.session.outgoing.poke();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['(forged)']);
  expect(ben.session.sphere().log.has(event.id)).toBe(false);
});

test('an event of an unknown type is kept, shows nothing and is passed on to newcomers', async () => {
  const { world, ana, ben, eve } = await three();
  const sphere = eve.session.sphere();
  const { author } = eve.session.identity;
  const header = sphere.log.nextHeader(author.device.id, 0);
  const event = buildAnyEvent(author, header, 'dance', { steps: [1, 2, 3] });
  const extra = { kind: null, code: 99, bytes: toUtf8('for later versions') };
  sphere.enqueue(event, [extra], { audience: { kind: 'members' } });
  eve.session.outgoing.poke();
  await world.quiet();
  const lines = ben.session.lines().length;
  const zoe = await world.person('zoe');
  await world.bringIn(ana, zoe);
  for (const person of [ana, ben, zoe]) {
    expect(person.session.sphere().log.get(event.id)?.bytes).toEqual(event.bytes);
    expect(person.session.storage.attachments.get(event.id, '99')).toEqual(extra.bytes);
  }
  // Only the newcomer's arrival is told.
  expect(ben.session.lines()).toHaveLength(lines + 1);
});

test('an event that waited for another over a restart takes effect when that one comes', async () => {
  const { world, ana, ben } = await three();
  const { room } = ana.session.sphere().row;
  const zoe = await world.person('zoe');
  let missing = 0;
  // Ben hears nothing of the newcomer’s papers, only what the newcomer says.
  world.server.answerHistory = (entries) => entries.filter(({ from, stanza }) => from !== zoe.jid || hasBody(stanza));
  world.server.deliver = (message, to) => {
    if (to !== ben.jid || message.from !== zoe.jid || message.stanzaId === null || hasBody(message.stanza))
      return [message];
    missing += 1;
    return [];
  };
  await world.bringIn(ana, zoe);
  say(zoe, 'hello everybody');
  await world.quiet();
  expect(missing).toBeGreaterThan(0);
  expect(ben.session.texts()).toEqual([]);
  await ben.stop();
  world.server.answerHistory = () => world.server.room(room).archive;
  await ben.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['hello everybody']);
});

const hasBody = (stanza: { getChild(name: string): unknown }): boolean => stanza.getChild('body') !== undefined;

test('a message into the room that is no message of a sphere is shown as a guest’s', async () => {
  const { world, ana, ben } = await three();
  const { room } = ana.session.sphere().row;
  world.server.sayInRoom(
    room,
    ana.jid,
    xml('message', { type: 'groupchat', id: 'x' }, xml('body', {}, 'from my phone')),
  );
  await world.quiet();
  const line = ben.session.lines().at(-1);
  expect(line).toMatchObject({ text: 'from my phone', state: 'guest', encrypted: false, from: ana.jid });
});

test('the id of a stanza is the same for every attempt to send it', async () => {
  const { world, ana } = await three();
  const ids: string[] = [];
  let attempts = 0;
  ana.session.link.beforeSend = (stanza) => {
    // Whoever has not read it yet when logs are compared asks for it.
    if (attr(stanza, 'type') !== 'groupchat') return Promise.resolve();
    ids.push(attr(stanza, 'id') ?? '');
    attempts += 1;
    return attempts < 3 ? Promise.reject(new AppError('disconnected', 'lost')) : Promise.resolve();
  };
  say(ana, 'again and again');
  await world.quiet();
  await world.pass(60_000);
  expect(ids).toHaveLength(3);
  expect(new Set(ids).size).toBe(1);
});

test('newcomers who could not know of each other when they answered hear each other all the same', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const { id } = await world.sphere(ana);
  for (const { jid } of [ben, eva]) await ana.session.members.invite(id, jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  // Ben has heard nothing since his own invitation when he answers it.
  world.server.answerHistory = () => [];
  await world.accept(ben);
  for (const { session } of [ben, eva]) expect(session.eventIds()).toEqual(ana.session.eventIds());
  say(ben, 'hello eva');
  await world.quiet();
  expect(eva.session.texts()).toEqual(['hello eva']);
});

test('a text that was taken away is erased after thirty days with all its versions, another one is not', async () => {
  const { world, ana, ben } = await three();
  const kept = say(ana, 'stays');
  const gone = say(ana, 'first version');
  await world.quiet();
  const { messages } = ana.session;
  const { id } = ana.session.sphere();
  messages.edit(id, gone, 'second version');
  await world.quiet();
  messages.retract(id, gone, false);
  await world.quiet();
  const texts = (event: EventId): boolean => ben.session.storage.attachments.has(event, 'text');
  const [edit] = ben.session.sphere().log.annotations.editsOf(gone);
  if (edit === undefined) throw new Error('the edit did not come');
  await world.pass(29 * DAY_MS);
  expect([kept, gone, edit].map(texts)).toEqual([true, true, true]);
  await world.pass(3 * DAY_MS);
  expect([kept, gone, edit].map(texts)).toEqual([true, false, false]);
  messages.retract(id, gone, true);
  await world.quiet();
  expect(ben.session.texts()).toEqual(['stays', '']);
});
