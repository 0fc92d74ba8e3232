import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { copiesInRoom, two } from '../../test/sim/two-people.ts';
import { AppError } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';
import { attr } from '../xmpp/element.ts';

const FAULT = new AppError('server-unreachable', 'a fault', { condition: 'resource-constraint' });
const REFUSAL = new AppError('not-allowed', 'not wanted', { condition: 'policy-violation', type: 'modify' });

/** What Ana says about this is answered with an error for as long as there is one; tells how often. */
function answering({ ana }: Awaited<ReturnType<typeof two>>, line?: EventId) {
  const answer: { error: AppError | null; times: number } = { error: FAULT, times: 0 };
  ana.session.link.beforeSend = (stanza) => {
    const isMeant = line === undefined || (attr(stanza, 'id') ?? '').startsWith(line.slice(0, 32));
    if (stanza.getChild('body') === undefined || !isMeant || answer.error === null) return Promise.resolve();
    answer.times += 1;
    return Promise.reject(answer.error);
  };
  return answer;
}

test('a line that a room fails with for hours waits, is tried ever more rarely, and is sent once the room is well', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  const answer = answering(parts);
  const [first] = ['first', 'second'].map(say);
  await world.pass(6 * 3_600_000);
  expect(ana.session.storage.messages.get(first ?? say(''))?.state).toBe('queued');
  expect(answer.times).toBeLessThan(160);
  answer.error = null;
  await world.pass(600_000);
  expect(ben.session.texts()).toEqual(['first', 'second']);
});

test('a line that a room fails with, and no other, lets the others pass after half an hour and goes on waiting', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  ana.session.link.goOffline();
  const poison = say('poison');
  const answer = answering(parts, poison);
  say('after it');
  await ana.session.goOnline();
  await world.clock.advance(600_000);
  expect(copiesInRoom(parts)).toBe(0);
  await world.clock.advance(1_800_000);
  await world.quiet();
  expect([copiesInRoom(parts), ana.session.outgoing.isIdle]).toEqual([1, true]);
  expect(ana.session.storage.messages.get(poison)?.state).toBe('queued');
  answer.error = null;
  say('last');
  await world.pass(60_000);
  expect(copiesInRoom(parts)).toBe(3);
  expect(ben.session.texts().toSorted()).toEqual(['after it', 'last', 'poison']);
});

test('failures of the connection before make no fault of the room final', async () => {
  const parts = await two();
  const { world, ana, say } = parts;
  const answer = answering(parts);
  answer.error = new AppError('disconnected', 'lost');
  const line = say('patience');
  await world.pass(3_600_000);
  answer.error = FAULT;
  await world.pass(120_000);
  answer.error = null;
  await world.pass(120_000);
  expect(ana.session.storage.messages.get(line)?.state).toBe('sent');
});

test('a line that a room refuses for a moment is sent, one that it refuses for good is told to have failed', async () => {
  const parts = await two();
  const { world, ana, say } = parts;
  const answer = answering(parts);
  answer.error = REFUSAL;
  const wanted = say('wanted');
  await world.pass(30_000);
  answer.error = null;
  await world.pass(60_000);
  expect(ana.session.storage.messages.get(wanted)?.state).toBe('sent');
  const unwanted = say('unwanted');
  answering(parts, unwanted).error = REFUSAL;
  await world.pass(60_000);
  expect(ana.session.storage.messages.get(unwanted)?.state).toBe('queued');
  say('and this');
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(2);
  await world.pass(1_800_000);
  expect(ana.session.storage.messages.get(unwanted)).toMatchObject({ state: 'failed', failure: 'server-unreachable' });
});

test('a room that fails is not asked more often because of what happens in other spheres', async () => {
  const parts = await two();
  const { world, ana, say } = parts;
  const other = await ana.session.members.create('Other', noSignal);
  const answer = answering(parts, say('waits'));
  for (let number = 0; number < 60; number += 1) {
    ana.session.messages.say(other.id, `line ${number}`);
    await world.pass(5_000);
  }
  expect(answer.times).toBeLessThan(20);
});

test('a line that a room fails with lets the others pass also on a computer that is on for a short while at a time', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  ana.session.link.goOffline();
  const poison = say('poison');
  say('after it');
  for (let session = 0; session < 3; session += 1) {
    await ana.stop();
    await ana.start();
    answering(parts, poison);
    await world.pass(25 * 60_000);
  }
  expect(ben.session.texts()).toContain('after it');
});

test('an answer to an invitation that the room refuses for most of an hour is given once it is let through', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana);
  let isWell = false;
  ben.session.link.beforeSend = (stanza) =>
    isWell || attr(stanza, 'type') !== 'groupchat' ? Promise.resolve() : Promise.reject(REFUSAL);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await ben.session.members.join(ben.session.storage.invitations.list('open')[0]?.id ?? '', noSignal);
  await world.clock.advance(40 * 60_000);
  isWell = true;
  await world.pass(15 * 60_000);
  expect(ana.session.sphere().state.members.get(ben.jid)?.state).toBe('joined');
  expect([ben.session.sphere().id, ben.session.sphere().epochs.length]).toEqual([id, 1]);
});

test('a line that its author deletes while it waits does not leave, nor do other words that it was given', async () => {
  const parts = await two();
  const { world, ana, ben, id, say } = parts;
  const answer = answering(parts);
  const waiting = say('never mind');
  await world.pass(30_000);
  ana.session.messages.edit(id, waiting, 'never mind that');
  say('but this');
  ana.session.messages.retract(id, waiting, false);
  expect(ana.session.texts()).toEqual(['but this']);
  answer.error = null;
  await world.pass(120_000);
  expect([ana, ben].map(({ session }) => session.texts())).toEqual([['but this'], ['', 'but this']]);
  expect(copiesInRoom(parts)).toBe(1);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
  expect(ben.session.sphere().log.missing()).toEqual({ ranges: [], ids: [] });
});

test('a line that a room swallows without a word lets the others pass after two minutes, and is sent once when the room takes it', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  const poison = say('poison');
  const answer = answering(parts, poison);
  answer.error = new AppError('timed-out', 'the room says nothing');
  say('after it');
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(1);
  for (let number = 0; number < 10; number += 1) {
    say(`line ${number}`);
    await world.pass(5_000);
  }
  expect(copiesInRoom(parts)).toBe(11);
  expect(ana.session.storage.messages.get(poison)?.state).toBe('queued');
  // Each attempt waits for the room's answer, and with it all that is to be sent.
  expect(answer.times).toBeLessThan(40);
  answer.error = null;
  await world.pass(900_000);
  expect([copiesInRoom(parts), ben.session.texts().filter((text) => text === 'poison')]).toEqual([12, ['poison']]);
});

test('a room that swallows all lines for an hour does not hold up other spheres, and has all of them once it is well', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  const other = await ana.session.members.create('Other', noSignal);
  const silent = ana.session.sphere().row.room;
  const answer = { isSilent: true, times: 0 };
  ana.session.link.beforeSend = (stanza) => {
    if (!answer.isSilent || stanza.getChild('body') === undefined || attr(stanza, 'to') !== silent) {
      return Promise.resolve();
    }
    answer.times += 1;
    return Promise.reject(new AppError('timed-out', 'the room says nothing'));
  };
  const lines = Array.from({ length: 15 }, (_, number) => `line ${number}`);
  for (const line of lines) say(line);
  await world.pass(3_600_000);
  answer.times = 0;
  ana.session.messages.say(other.id, 'elsewhere');
  await world.pass(3_600_000);
  // Each attempt takes twenty seconds of everybody's time.
  expect(answer.times).toBeLessThan(60);
  answer.isSilent = false;
  await world.pass(300_000);
  expect(ben.session.texts().toSorted()).toEqual(lines.toSorted());
});

test('lines that a room swallowed and that were taken back since do not keep the one that stays from its turns', async () => {
  const parts = await two();
  const { world, ana, ben, id, say } = parts;
  const answer = answering(parts);
  answer.error = new AppError('timed-out', 'the room says nothing');
  const [stays, ...others] = Array.from({ length: 12 }, (_, number) => say(`line ${number}`));
  await world.pass(1_200_000);
  for (const line of others) ana.session.messages.retract(id, line, false);
  await world.pass(1_200_000);
  expect(ana.session.storage.messages.get(stays ?? say(''))?.state).toBe('queued');
  answer.times = 0;
  await world.pass(3_600_000);
  expect(answer.times).toBeGreaterThan(5);
  answer.error = null;
  await world.pass(600_000);
  expect(ben.session.texts()).toContain('line 0');
});
