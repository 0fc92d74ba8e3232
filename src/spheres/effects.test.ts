import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import { viewItem } from '../engine/item-view.ts';
import type { SphereChange } from './effects.ts';
import { attachment } from './protocol/envelope.ts';

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const changes: SphereChange['kind'][] = [];
  ben.session.list.onChange.on((changed) => changes.push(...changed.changes.map(({ kind }) => kind)));
  return { world, ana, ben, sphere, changes };
}

test('what happens is told as lines, items and changes of members, once each', async () => {
  const { world, ana, ben, sphere, changes } = await two();
  ana.session.messages.say(sphere.id, 'hello');
  await world.quiet();
  expect(changes.splice(0)).toEqual(['message']);
  await ana.share('beach.mp4');
  await world.quiet();
  expect(changes.splice(0)).toEqual(['message', 'item']);
  expect(ben.session.lines().at(-1)).toMatchObject({ kind: 'item', text: '📎 beach.mp4 · 9 B', from: ana.jid });
  await world.bringIn(ana, await world.person('zoe'));
  expect(new Set(changes.splice(0))).toEqual(new Set(['members', 'joined', 'message']));
  expect(ben.session.lines().at(-1)).toMatchObject({ kind: 'notice', text: 'joined' });
});

test('the key of an epoch is kept in its own place only', async () => {
  const { world, ana, ben, sphere } = await two();
  await world.bringIn(ana, await world.person('zoe'));
  const zoe = sphere.state.members.keys().toArray().at(-1);
  await ana.session.members.remove(sphere.id, zoe ?? ana.jid, noSignal);
  await world.quiet();
  for (const { session } of [ana, ben]) {
    const [epoch] = session.sphere().epochs;
    expect(session.storage.attachments.has(epoch?.eventId ?? ('' as never), 'epoch-key')).toBe(false);
    expect(session.storage.epochs.list(sphere.id)).toHaveLength(2);
  }
});

test('the first event of a sphere waits for nobody, our others wait to be sent', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const sphere = await world.sphere(ana);
  ana.session.link.goOffline();
  ana.session.messages.say(sphere.id, 'hello');
  expect(ana.session.lines().map(({ text, state }) => `${text} ${state}`)).toEqual([
    'created received',
    'hello queued',
  ]);
});

test('a line that could not be read gives way to its event, in its place', async () => {
  const { world, ana, ben, sphere, changes } = await two();
  const { decrypt } = ben.session.omemo;
  ben.session.omemo.decrypt = () => Promise.reject(new AppError('cannot-decrypt', 'no session'));
  const id = ana.session.messages.say(sphere.id, 'one');
  await world.quiet();
  ben.session.omemo.decrypt = decrypt;
  ana.session.messages.say(sphere.id, 'two');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['(undecryptable)', 'two']);
  changes.splice(0);
  const event = ana.session.sphere().log.get(id);
  const text = ana.session.storage.attachments.get(id, 'text');
  if (event === undefined || text === undefined) throw new Error('nothing was said');
  const audience = { kind: 'device', device: ben.session.identity.device.id } as const;
  ana.session.sphere().enqueue(event, [attachment('text', text)], { audience });
  ana.session.outgoing.poke();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['one', 'two']);
  expect(changes).toEqual(['message']);
});

/** Ben writes and shares while he does not hear that Ana removes him; Zoe gets both sides in the order given. */
async function removedMeanwhile(order: 'removal first' | 'removal last') {
  const world = new SimWorld();
  const [ana, ben, zoe] = [await world.person('ana'), await world.person('ben'), await world.person('zoe')];
  const sphere = await world.sphere(ana, ben, zoe);
  ben.session.messages.say(sphere.id, 'before');
  await world.quiet();
  const held: (() => void)[] = [];
  world.server.deliver = (message, to) => {
    if (message.from === ana.jid && to === ben.jid) return [];
    if (to === ana.jid && message.from === ben.jid) return [];
    const isLate = message.from === (order === 'removal first' ? ben.jid : ana.jid);
    if (to !== zoe.jid || !isLate) return [message];
    held.push(() => [...world.server.room(sphere.row.room).ports].find(({ own }) => own === to)?.receive(message));
    return [];
  };
  ben.session.messages.say(sphere.id, 'beyond');
  const itemId = await ben.share('beyond.mp4');
  await world.quiet();
  const gone: string[] = [];
  zoe.session.list.onChange.on(({ changes }) => gone.push(...changes.map(({ kind }) => kind)));
  if (order === 'removal last') zoe.session.items.get(itemId);
  await world.quiet();
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  for (const release of held) release();
  await world.quiet();
  return { world, ana, ben, zoe, sphere, itemId, gone };
}

test('what lies beyond a removal is shown nowhere, whatever arrives first', async () => {
  for (const order of ['removal first', 'removal last'] as const) {
    const { ana, zoe, sphere, itemId, gone } = await removedMeanwhile(order);
    expect(zoe.session.sphere().log.verdict(itemId as never)).toMatchObject({ kind: 'refused' });
    expect(zoe.session.texts()).toEqual(['before']);
    expect(zoe.session.lines().some((line) => line.itemId === itemId)).toBe(false);
    const { storage, items, source, names } = zoe.session;
    const row = storage.items.get(itemId);
    const shown = row === undefined ? row : viewItem({ storage, items, source, names }, zoe.session.sphere(), row);
    expect(shown).toBeUndefined();
    expect(() => source.event(zoe.session.sphere(), itemId)).toThrow(/no such item/);
    expect(gone.includes('item-gone')).toBe(order === 'removal last');
    expect(zoe.session.feed.has(row?.infoHash ?? ('' as never))).toBe(false);
    expect(zoe.session.eventIds().filter((id) => ana.session.eventIds().includes(id))).not.toEqual([]);
    expect(storage.items.get(itemId)?.wanted ?? false).toBe(false);
    expect(sphere.state.members.size).toBe(3);
  }
});

test('whoever wrote beyond their removal keeps it and is told that the others do not see it', async () => {
  const { world, ben } = await removedMeanwhile('removal last');
  world.server.deliver = (message) => [message];
  world.server.answerHistory = (_, room) => world.server.room(room).archive;
  // The server lets him look once more, and he learns of it.
  world.server.room(ben.session.sphere().row.room).affiliations.set(ben.jid, 'member');
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.lines().find(({ text }) => text === 'before')).toMatchObject({ failure: null });
  const beyond = ben.session.lines().find(({ text }) => text === 'beyond');
  expect(beyond).toMatchObject({ state: 'failed', failure: 'not-a-member' });
  const { id } = ben.session.sphere();
  expect(() => ben.session.messages.retry(id, beyond?.id ?? ('' as never))).toThrow(/does not count/);
  ben.session.messages.remove(id, beyond?.id ?? ('' as never));
  expect(ben.session.texts()).toEqual(['before']);
});

test('what the newest say stands last, and history that is told later stands before it', async () => {
  const { world, ana, ben, sphere } = await two();
  for (const text of ['one', 'two', 'three']) ana.session.messages.say(sphere.id, text);
  await world.quiet();
  const zoe = await world.person('zoe');
  await ana.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  // Ana's welcome is slow; Ben greets the newcomer meanwhile.
  const slow: (() => void)[] = [];
  world.server.deliver = (message, to) => {
    if (to !== zoe.jid || message.from !== ana.jid) return [message];
    slow.push(() => [...world.server.room(sphere.row.room).ports].find(({ own }) => own === to)?.receive(message));
    return [];
  };
  await world.accept(zoe);
  ben.session.messages.say(sphere.id, 'hello zoe');
  await world.quiet();
  world.server.deliver = (message) => [message];
  for (const release of slow) release();
  await world.quiet();
  expect(zoe.session.texts()).toEqual(['one', 'two', 'three', 'hello zoe']);
  // Written without a connection, below everything said since: it is the newest for the others all the same.
  ben.session.link.goOffline();
  ben.session.messages.say(sphere.id, 'from the train');
  ana.session.messages.say(sphere.id, 'four');
  await world.quiet();
  await ben.session.goOnline();
  await world.quiet();
  for (const { session } of [ana, zoe]) expect(session.texts().slice(-2)).toEqual(['four', 'from the train']);
});

test('a join that somebody tells once more, with something beside it, is not answered with the whole log again', async () => {
  const { world, ana, ben, sphere } = await two();
  const joined = sphere.log.events().find(({ type }) => type === 'join');
  if (joined === undefined) throw new Error('nobody joined');
  const extra = { kind: null, code: 99, bytes: Uint8Array.of(1) };
  ben.session.sphere().enqueue(joined, [extra], { audience: { kind: 'members' } });
  let welcomes = 0;
  const { outbox } = ana.session.storage;
  const add = outbox.add.bind(outbox);
  outbox.add = (entry) => {
    welcomes += 1;
    return add(entry);
  };
  ben.session.outgoing.poke();
  await world.quiet();
  expect(ana.session.storage.attachments.has(joined.id, '99')).toBe(true);
  expect(welcomes).toBe(0);
});
