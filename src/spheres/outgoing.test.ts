import { expect, test } from 'vitest';
import { noSignal } from '../../test/sim/sim-world.ts';
import { copiesInRoom, two } from '../../test/sim/two-people.ts';
import { AppError } from '../base/errors.ts';
import { attr } from '../xmpp/element.ts';

test('while there is no connection nothing is looked at again and again', async () => {
  const { world, ana, say } = await two();
  ana.session.link.goOffline();
  say('later');
  await world.quiet();
  const { outbox } = ana.session.storage;
  const queued = outbox.queued.bind(outbox);
  let looks = 0;
  outbox.queued = () => {
    looks += 1;
    return queued();
  };
  await world.clock.advance(600_000);
  expect(looks).toBe(0);
});

test('of a long outbox only what is sent is opened, and the room’s answers open nothing', async () => {
  const { world, ana, ben, say } = await two();
  ana.session.link.goOffline();
  const texts = Array.from({ length: 20 }, (_, number) => `line ${number}`);
  for (const text of texts) say(text);
  await world.quiet();
  const { outbox } = ana.session.storage;
  const [get, list] = [outbox.get.bind(outbox), outbox.list.bind(outbox)];
  let opened = 0;
  outbox.get = (id) => {
    opened += 1;
    return get(id);
  };
  outbox.list = (state) => {
    const rows = list(state);
    opened += rows.length;
    return rows;
  };
  await ana.session.goOnline();
  await world.pass(5_000);
  expect(ben.session.texts()).toEqual(texts);
  expect(opened).toBeLessThan(2 * texts.length);
});

test('a destination that failed and then cannot be reached costs no more than a look a minute', async () => {
  const { world, ana, id, say } = await two();
  ana.session.link.beforeSend = () => Promise.reject(new AppError('disconnected', 'lost'));
  say('later');
  await world.quiet();
  await ana.session.rooms.leave(ana.session.list.get(id).row.room);
  const { outbox } = ana.session.storage;
  const queued = outbox.queued.bind(outbox);
  let looks = 0;
  outbox.queued = () => {
    looks += 1;
    return queued();
  };
  await world.clock.advance(600_000);
  expect(looks).toBeLessThan(20);
});

test('what becomes possible while an attempt runs is tried at once when that attempt fails', async () => {
  const { world, ana, ben, say } = await two();
  const under = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  ana.session.link.beforeSend = () => {
    under.resolve();
    return end.promise;
  };
  ana.session.storage.outbox.list('queued');
  say('hello');
  await under.promise;
  // The connection came back meanwhile; the old attempt learns only now that it was in vain.
  ana.session.link.beforeSend = () => Promise.resolve();
  ana.session.outgoing.poke();
  end.reject(new AppError('disconnected', 'the connection was made anew'));
  await world.pass(100);
  expect(ben.session.texts()).toEqual(['hello']);
});

test('a disk that cannot note a failed attempt does not end the sending', async () => {
  const { world, ana, ben, say } = await two();
  const { outbox } = ana.session.storage;
  ana.session.link.beforeSend = () => Promise.reject(new AppError('disconnected', 'lost'));
  const update = outbox.update.bind(outbox);
  const refused = Promise.withResolvers<void>();
  outbox.update = () => {
    refused.resolve();
    throw new AppError('disk-full', 'no room for the note');
  };
  say('hello');
  await refused.promise;
  outbox.update = update;
  ana.session.link.beforeSend = () => Promise.resolve();
  await world.pass(120_000);
  expect(ben.session.texts()).toEqual(['hello']);
});

test('a line that can never be sent lets the others pass and says that it was not sent, over restarts too', async () => {
  const { world, ana, ben, id, say } = await two();
  const sphere = ana.session.list.get(id);
  const bad = say('never mind');
  const [row] = ana.session.storage.outbox.byEvent(bad);
  ana.session.storage.outbox.update(row?.id ?? 0, { envelope: Uint8Array.of(1, 2, 3) });
  say('but this');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['but this']);
  expect(ana.session.outgoing.isIdle).toBe(true);
  expect(sphere.log.has(bad)).toBe(true);
  await expect(ana.session.outgoing.flushed([bad], { orParked: true }, noSignal)).rejects.toThrow(/cannot be sent/);
  await ana.stop();
  await ana.start();
  await world.quiet();
  const line = ana.session.storage.messages.get(bad);
  expect(line).toMatchObject({ state: 'failed', failure: 'bad-input', text: 'never mind' });
});

test('what was sent leaves the outbox and is said to be sent', async () => {
  const { world, ana, say } = await two();
  const id = say('hello');
  await ana.session.outgoing.flushed([id], { orParked: false }, noSignal);
  expect(ana.session.storage.messages.get(id)?.state).toBe('sent');
  await world.quiet();
  expect(ana.session.storage.outbox.list('queued').filter(({ sphereId }) => sphereId !== null)).toEqual([]);
});

test('waiting for what cannot leave ends with the patience of whoever waits', async () => {
  const { ana, say } = await two();
  ana.session.link.goOffline();
  const patience = new AbortController();
  const flushed = ana.session.outgoing.flushed([say('hello')], { orParked: true }, patience.signal);
  patience.abort(new Error('enough'));
  await expect(flushed).rejects.toThrow('enough');
});

test('what waited for a sphere we were removed from is kept, but nobody waits for it', async () => {
  const { world, ana, ben, id } = await two();
  ben.session.link.beforeSend = (stanza) =>
    stanza.getChild('body') === undefined ? Promise.resolve() : Promise.reject(new AppError('disconnected', 'lost'));
  const unheard = ben.session.messages.say(id, 'unheard');
  await world.quiet();
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  expect(ben.session.sphere().row.state).toBe('removed');
  expect(ben.session.storage.outbox.byEvent(unheard).map(({ line }) => line)).toEqual(['unheard']);
  expect(ben.session.outgoing.isIdle).toBe(true);
});

/** A line of Ana's that cannot be sent because what waits for it is damaged. */
async function failing() {
  const parts = await two();
  const { ana, world, say } = parts;
  const bad = say('once more');
  const [row] = ana.session.storage.outbox.byEvent(bad);
  const envelope = row?.envelope ?? new Uint8Array();
  ana.session.storage.outbox.update(row?.id ?? 0, { envelope: Uint8Array.of(1, 2, 3) });
  await world.quiet();
  return { ...parts, bad, row, envelope };
}

test('a line that was not sent is sent when its author tries again', async () => {
  const { world, ana, ben, id, bad, row, envelope } = await failing();
  ana.session.storage.outbox.update(row?.id ?? 0, { envelope });
  ana.session.messages.retry(id, bad);
  await world.quiet();
  expect(ben.session.texts()).toEqual(['once more']);
  expect(ana.session.storage.messages.get(bad)).toMatchObject({ state: 'sent', failure: null });
  expect(() => ana.session.messages.retry(id, bad)).toThrow(/no such failed line/);
});

test('a line that its author deletes leaves no text and no gap in what the others have', async () => {
  const { world, ana, ben, id, bad, say } = await failing();
  say('after it');
  ana.session.messages.remove(id, bad);
  await world.quiet();
  expect(ana.session.texts()).toEqual(['after it']);
  expect(ben.session.texts()).toEqual(['after it']);
  expect(ana.session.storage.attachments.has(bad, 'text')).toBe(false);
  expect(ben.session.sphere().log.missing()).toEqual({ ranges: [], ids: [] });
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('what was sent or said by others cannot be deleted', async () => {
  const { world, ana, ben, id, say } = await two();
  const sent = say('hello');
  await world.quiet();
  for (const { session } of [ana, ben]) expect(() => session.messages.remove(id, sent)).toThrow(/no such failed line/);
  expect(ana.session.texts()).toEqual(['hello']);
});

test('an invitation that cannot be sent is told, and tried again at the next start', async () => {
  const { world, ana, id } = await two();
  const zoe = await world.person('zoe');
  const failed: string[] = [];
  ana.session.outgoing.onFailed.on(({ to }) => failed.push(to));
  ana.session.link.beforeSend = (stanza) =>
    attr(stanza, 'to') === zoe.jid ? Promise.reject(new AppError('too-large', 'cut off')) : Promise.resolve();
  await ana.session.members.invite(id, zoe.jid, noSignal);
  await world.quiet();
  expect(failed).toEqual([zoe.jid]);
  expect(ana.session.outgoing.isIdle).toBe(true);
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(zoe.session.storage.invitations.list('open')).toHaveLength(1);
});

test('what the room has although we never heard of it is not said twice', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  ana.session.link.afterSend = () => Promise.reject(new AppError('disconnected', 'lost'));
  const line = say('once');
  await world.quiet();
  ana.session.link.goOffline();
  ana.session.link.afterSend = () => Promise.resolve();
  await ana.session.goOnline();
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(1);
  expect(ana.session.storage.messages.get(line)?.state).toBe('sent');
  expect(ana.session.outgoing.isIdle).toBe(true);
  expect(ben.session.texts()).toEqual(['once']);
});

test('what the room has is not said twice either by a program that was killed before it heard of it', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  const taken = Promise.withResolvers<void>();
  ana.session.link.afterSend = () => {
    taken.resolve();
    return new Promise(() => undefined);
  };
  const line = say('once');
  await taken.promise;
  await ana.stop();
  await ana.start();
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(1);
  expect(ana.session.storage.messages.get(line)?.state).toBe('sent');
  expect(ben.session.texts()).toEqual(['once']);
});

test('a room that is silent for a while is asked what it has before anything is said again', async () => {
  const parts = await two();
  const { world, ana, say } = parts;
  ana.session.link.afterSend = () => Promise.reject(new AppError('timed-out', 'no answer in time'));
  const line = say('once');
  await world.quiet();
  ana.session.link.afterSend = () => Promise.resolve();
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(1);
  expect(ana.session.storage.messages.get(line)?.state).toBe('sent');
});

test('what the room does not have is said again, once and in order', async () => {
  const parts = await two();
  const { world, ana, ben, say } = parts;
  ana.session.link.beforeSend = () => Promise.reject(new AppError('disconnected', 'lost'));
  say('first');
  await world.quiet();
  ana.session.link.goOffline();
  say('second');
  ana.session.link.beforeSend = () => Promise.resolve();
  await ana.session.goOnline();
  await world.pass(120_000);
  expect(copiesInRoom(parts)).toBe(2);
  expect(ben.session.texts()).toEqual(['first', 'second']);
});
