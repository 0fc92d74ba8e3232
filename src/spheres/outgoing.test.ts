import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const say = (text: string): EventId => ana.session.messages.say(id, text);
  return { world, ana, ben, id, say };
}

test('while there is no connection nothing is looked at again and again', async () => {
  const { world, ana, say } = await two();
  ana.session.link.goOffline();
  say('later');
  await world.quiet();
  const { outbox } = ana.session.storage;
  const list = outbox.list.bind(outbox);
  let looks = 0;
  outbox.list = (state) => {
    looks += 1;
    return list(state);
  };
  await world.clock.advance(600_000);
  expect(looks).toBe(0);
});

test('a destination that failed and then cannot be reached costs no more than a look a minute', async () => {
  const { world, ana, id, say } = await two();
  ana.session.link.beforeSend = () => Promise.reject(new AppError('disconnected', 'lost'));
  say('later');
  await world.quiet();
  await ana.session.rooms.leave(ana.session.list.get(id).row.room);
  const { outbox } = ana.session.storage;
  const list = outbox.list.bind(outbox);
  let looks = 0;
  outbox.list = (state) => {
    looks += 1;
    return list(state);
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

test('an entry that can never be sent lets the others pass and keeps its word of being queued', async () => {
  const { world, ana, ben, id, say } = await two();
  const sphere = ana.session.list.get(id);
  const bad = say('never mind');
  const [row] = ana.session.storage.outbox.byEvent(bad);
  ana.session.storage.outbox.update(row?.id ?? 0, { envelope: Uint8Array.of(1, 2, 3) });
  say('but this');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['but this']);
  expect(ana.session.storage.messages.get(bad)?.state).toBe('queued');
  expect(ana.session.outgoing.isIdle).toBe(true);
  expect(sphere.log.has(bad)).toBe(true);
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
