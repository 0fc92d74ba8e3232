import { expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import { MAX_TEXT_BYTES } from '../../src/base/cut-text.ts';
import { AppError } from '../../src/base/errors.ts';
import type { EventId } from '../../src/base/id.ts';
import { eraseRetracted } from '../../src/spheres/erase-retracted.ts';
import { isArriving } from '../../src/spheres/current-text.ts';
import type { KnownEvent } from '../../src/spheres/protocol/event.ts';
import { eventsOfText, MAX_PIECE_BYTES } from '../../src/spheres/protocol/long-text.ts';
import { sha256Hex } from '../../src/spheres/protocol/keys.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { attr, child } from '../../src/xmpp/element.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** Of signs of one to four bytes, without ends of lines. */
function longText(bytes: number, begin = ''): string {
  const pattern = 'añ€😀\uFEFF ';
  const text = begin + pattern.repeat(Math.floor((bytes - toUtf8(begin).length) / toUtf8(pattern).length));
  return text + 'x'.repeat(bytes - toUtf8(text).length);
}

async function two(): Promise<{ world: SimWorld; ana: SimPerson; ben: SimPerson }> {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  return { world, ana, ben };
}

const say = (person: SimPerson, text: string): EventId => person.session.messages.say(person.session.sphere().id, text);

const arriving = ({ session }: SimPerson, id: EventId): boolean =>
  isArriving(session.sphere(), session.storage, session.sphere().log.get(id) as KnownEvent<'message'>);

function textsKept({ session }: SimPerson): number {
  return session
    .sphere()
    .log.events()
    .filter(({ id }) => session.storage.attachments.has(id, 'text')).length;
}

test('a text of 200,000 bytes arrives byte for byte, and can be changed', async () => {
  const { world, ana, ben } = await two();
  const text = longText(MAX_TEXT_BYTES);
  const id = say(ana, text);
  await world.quiet();
  expect(toUtf8(ben.session.texts()[0] ?? '')).toEqual(toUtf8(text));
  expect(toUtf8(ana.session.texts()[0] ?? '')).toEqual(toUtf8(text));
  expect(ben.session.lines()).toHaveLength(ana.session.lines().length);
  expect(ana.session.storage.messages.get(id)?.state).toBe('sent');
  const edited = longText(30_000, 'changed: ');
  ana.session.messages.edit(ana.session.sphere().id, id, edited);
  await world.quiet();
  expect(ben.session.texts()).toEqual([edited]);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a long text that is taken away is erased one day with all the parts of all its versions', async () => {
  const { world, ana, ben } = await two();
  const id = say(ana, longText(30_000));
  ana.session.messages.edit(ana.session.sphere().id, id, longText(20_000, 'changed: '));
  await world.quiet();
  ana.session.messages.retract(ana.session.sphere().id, id, false);
  await world.quiet();
  expect(ben.session.texts()).toEqual(['']);
  expect(textsKept(ben)).toBe(7);
  eraseRetracted(ben.session, ben.session.sphere(), world.clock.now() + 1);
  expect(textsKept(ben)).toBe(0);
});

test('a text that is longer than 200,000 bytes is refused before anything of it is kept', async () => {
  const { ana } = await two();
  const before = ana.session.eventIds();
  expect(() => say(ana, `${longText(MAX_TEXT_BYTES)}!`)).toThrow(/too long/);
  expect(ana.session.eventIds()).toEqual(before);
});

test('parts that the room hid are asked for; until they come the beginning is shown', async () => {
  const { world, ana, ben } = await two();
  const text = longText(60_000);
  let pieces = 0;
  world.server.answerHistory = () => [];
  world.server.deliver = (message, to) => {
    // Only a piece of the text is as large.
    if (to !== ben.jid || message.stanza.toString().length < 10_000) return [message];
    pieces += 1;
    return pieces === 1 ? [message] : [];
  };
  const id = say(ana, text);
  await world.pass(1_000);
  expect(arriving(ben, id)).toBe(true);
  const beginning = ben.session.texts()[0] ?? '';
  expect(text.startsWith(beginning)).toBe(true);
  expect(beginning.length).toBeGreaterThan(1000);
  world.server.deliver = (message) => [message];
  await world.pass(600_000);
  expect(arriving(ben, id)).toBe(false);
  expect(ben.session.texts()).toEqual([text]);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('parts that come doubled and in disorder make the same text, in one line', async () => {
  const { world, ana, ben } = await two();
  const held: (() => void)[] = [];
  world.server.deliver = (message, to) => {
    if (to !== ben.jid) return [message];
    const { room } = ana.session.sphere().row;
    held.push(() => [...world.server.room(room).ports].find(({ own }) => own === to)?.receive(message));
    return [];
  };
  const text = longText(60_000);
  const id = say(ana, text);
  await world.pass(1_000);
  world.server.deliver = (message) => [message];
  for (const release of world.shuffled([...held, ...held])) release();
  await world.quiet();
  expect(ben.session.texts()).toEqual([text]);
  expect(arriving(ben, id)).toBe(false);
});

test('a program that ends in the middle of a long text goes on where it was, and nobody gets it twice', async () => {
  const { world, ana, ben } = await two();
  let sent = 0;
  ana.session.link.beforeSend = (stanza) => {
    if (attr(stanza, 'type') === 'groupchat') sent += 1;
    if (sent < 4) return Promise.resolve();
    ana.session.link.goOffline();
    return Promise.reject(new AppError('disconnected', 'cut off'));
  };
  const text = longText(60_000);
  say(ana, text);
  await world.pass(1_000);
  await ana.stop();
  expect(ben.session.texts()).toEqual([]);
  await ana.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual([text]);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
  const words = world.server.room(ana.session.sphere().row.room).archive.filter(({ from }) => from === ana.jid);
  expect(new Set(words.map(({ stanza }) => attr(stanza, 'id'))).size).toBe(words.length);
});

test('a newcomer gets a long text of before from whoever has it', async () => {
  const { world, ana } = await two();
  const text = longText(60_000);
  say(ana, text);
  await world.quiet();
  const eva = await world.person('eva');
  await ana.session.members.invite(ana.session.sphere().id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  await world.pass(600_000);
  expect(eva.session.texts()).toEqual([text]);
  expect(eva.session.eventIds()).toEqual(ana.session.eventIds());
});

test('words that somebody left out of a part when they passed it on are asked of the others', async () => {
  const { world, ana, ben } = await two();
  const text = longText(60_000);
  const id = say(ana, text);
  await world.quiet();
  const [, second] = eventsOfText(ben.session.sphere().log, id);
  const { storage } = ben.session;
  storage.attachments.remove(second as EventId, 'text');
  storage.messages.update(id, { text: 'the beginning' });
  expect(arriving(ben, id)).toBe(true);
  world.server.answerHistory = () => [];
  await ben.stop();
  await ben.start();
  await world.pass(600_000);
  expect(arriving(ben, id)).toBe(false);
  expect(ben.session.texts()).toEqual([text]);
});

test('of texts that are begun and never ended the words are not kept', async () => {
  const { world, ana, ben } = await two();
  const sphere = ana.session.sphere();
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 40; number += 1) {
      const bytes = toUtf8(`${round} ${number} ${'x'.repeat(MAX_PIECE_BYTES - 10)}`);
      const dispatch = {
        audience: { kind: 'members' },
        kept: [attachment('text', bytes)],
        line: new TextDecoder().decode(bytes),
      } as const;
      ana.session.list.publish(sphere, 'part', { textSha256: sha256Hex(bytes) }, dispatch);
    }
  }
  await world.quiet();
  expect(textsKept(ben)).toBe(32);
  say(ana, 'something else');
  await world.quiet();
  expect(textsKept(ben)).toBe(1);
  expect(ben.session.texts()).toEqual(['something else']);
});

/** A text of three events, of which the second cannot leave. */
async function failing() {
  const { world, ana, ben } = await two();
  const { storage } = ana.session;
  const text = longText(20_000);
  const id = say(ana, text);
  const [, part] = eventsOfText(ana.session.sphere().log, id);
  const [row] = storage.outbox.byEvent(part as EventId);
  if (row === undefined) throw new Error('nothing is queued');
  storage.outbox.update(row.id, { envelope: Uint8Array.of(1, 2, 3) });
  await world.quiet();
  return { world, ana, ben, id, text, row };
}

test('a long text of which one part cannot leave has failed as a whole, and goes out whole when it is tried again', async () => {
  const { world, ana, ben, id, text, row } = await failing();
  const { storage } = ana.session;
  expect(storage.messages.get(id)).toMatchObject({ state: 'failed', failure: 'bad-input' });
  expect(ben.session.texts()).toEqual([]);
  storage.outbox.update(row.id, { envelope: row.envelope });
  ana.session.messages.retry(ana.session.sphere().id, id);
  await world.quiet();
  expect(ben.session.texts()).toEqual([text]);
  expect(storage.messages.get(id)?.state).toBe('sent');
});

test('a long text that could not leave and is deleted leaves none of its words and no gap', async () => {
  const { world, ana, ben, id } = await failing();
  ana.session.messages.remove(ana.session.sphere().id, id);
  await world.quiet();
  // What had left already is taken away.
  expect(ben.session.texts()).toEqual(['']);
  expect(ana.session.texts()).toEqual([]);
  expect(textsKept(ana)).toBe(0);
  expect(ben.session.sphere().log.missing()).toEqual({ ranges: [], ids: [] });
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a long text that fails because of a part is told to have failed under its own name', async () => {
  const { world, ana } = await two();
  const { storage, outgoing } = ana.session;
  const told: EventId[] = [];
  outgoing.onFailed.on(({ eventId }) => told.push(eventId));
  const id = say(ana, longText(20_000));
  const [, part] = eventsOfText(ana.session.sphere().log, id);
  const [row] = storage.outbox.byEvent(part as EventId);
  storage.outbox.update(row?.id ?? 0, { envelope: Uint8Array.of(1, 2, 3) });
  await world.quiet();
  expect(storage.messages.get(id)?.state).toBe('failed');
  expect(told).toEqual([id]);
});

/** A text of three events, of which the room swallows the second until it is told not to. */
async function swallowed() {
  const { world, ana, ben } = await two();
  let isSwallowing = true;
  let number = 0;
  let name: string | undefined;
  ana.session.link.beforeSend = (stanza) => {
    if (attr(stanza, 'type') !== 'groupchat' || child(stanza, 'body') === undefined) return Promise.resolve();
    number += 1;
    if (number === 2) name = attr(stanza, 'id');
    if (!isSwallowing || attr(stanza, 'id') !== name) return Promise.resolve();
    return Promise.reject(new AppError('timed-out', 'the room says nothing'));
  };
  const text = longText(20_000);
  const id = say(ana, text);
  await world.pass(300_000);
  const end = async (): Promise<void> => {
    isSwallowing = false;
    await world.pass(1_200_000);
  };
  return { world, ana, ben, id, text, end };
}

test('a long text of which the room swallows a part is not said to be sent before that has left', async () => {
  const { ana, ben, id, text, end } = await swallowed();
  expect(ben.session.sphere().log.has(id)).toBe(true);
  expect(ana.session.storage.messages.get(id)?.state).toBe('queued');
  const told: EventId[] = [];
  ana.session.outgoing.onSent.on(({ eventId }) => told.push(eventId));
  await end();
  expect(told).toContain(id);
  expect(ana.session.storage.messages.get(id)?.state).toBe('sent');
  expect(ben.session.texts()).toEqual([text]);
});

test('of a long text that is taken back the words of a part that waits still do not leave', async () => {
  const { world, ana, id, end } = await swallowed();
  ana.session.messages.retract(ana.session.sphere().id, id, false);
  await end();
  const { archive } = world.server.room(ana.session.sphere().row.room);
  const lines = archive.filter(({ from, stanza }) => from === ana.jid && child(stanza, 'body') !== undefined);
  expect(lines).toHaveLength(2);
});

test('a long text of which a part had not left when its author left the sphere is shown as not sent', async () => {
  const { world, ana, id, end } = await swallowed();
  await ana.session.members.leave(ana.session.sphere().id, noSignal);
  await world.pass(600_000);
  await end();
  expect(ana.session.storage.messages.get(id)).toMatchObject({ state: 'failed', failure: 'not-a-member' });
});
