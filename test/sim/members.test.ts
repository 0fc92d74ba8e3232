import { expect, test } from 'vitest';
import { errorCode } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { LogAnswers } from '../../src/spheres/log-answers.ts';
import type { KnownEvent } from '../../src/spheres/protocol/event.ts';
import { welcomeDevice } from '../../src/spheres/welcome.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** The ids of the epochs whose keys somebody holds. */
const epochsOf = (person: SimPerson): string[] => person.session.sphere().epochs.map(({ eventId }) => eventId);

/** Whether somebody could decrypt an item. */
function canRead(person: SimPerson, itemId: Awaited<ReturnType<SimPerson['share']>>): boolean {
  const { source } = person.session;
  const sphere = person.session.sphere();
  try {
    return source.mediaKey(sphere, source.event(sphere, itemId)) !== null;
  } catch (error) {
    if (['not-found', 'cannot-encrypt', 'forged'].includes(errorCode(error))) return false;
    throw error;
  }
}

test('a removed member gets no key and no line of what follows', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  const before = await ana.share('before.mp4');
  await world.quiet();
  await ana.session.members.remove(sphere.id, eve.jid, noSignal);
  await world.quiet();
  const after = await ben.share('after.mp4');
  ana.session.messages.say(sphere.id, 'she must not hear this');
  await world.quiet();
  expect([canRead(ben, before), canRead(ben, after)]).toEqual([true, true]);
  expect([canRead(eve, before), canRead(eve, after)]).toEqual([true, false]);
  expect(eve.session.texts()).toEqual([]);
  expect(eve.session.sphere().row.state).toBe('removed');
  expect(epochsOf(eve)).toEqual(epochsOf(ben).slice(1));
});

test('a removed member stays without keys even when the room lets them in again', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  // Her server keeps from her that she was removed.
  world.server.sayTo = () => undefined;
  await ana.session.members.remove(sphere.id, eve.jid, noSignal);
  await world.quiet();
  world.server.setAffiliation(sphere.row.room, eve.jid, 'member');
  await eve.stop();
  await eve.start();
  const after = await ben.share('after.mp4');
  ana.session.messages.say(sphere.id, 'she must not hear this');
  await world.quiet();
  expect(canRead(eve, after)).toBe(false);
  // One line for the item, one for the text.
  expect(eve.session.texts()).toEqual(['(undecryptable)', '(undecryptable)']);
  expect(eve.session.lines().filter(({ kind }) => kind === 'item')).toEqual([]);
});

test('whoever leaves gets no later key: the owner starts a new epoch and closes the room to them', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  await eve.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  const after = await ben.share('after.mp4');
  await world.quiet();
  expect(epochsOf(ben)).toHaveLength(2);
  expect(canRead(ben, after)).toBe(true);
  expect(canRead(eve, after)).toBe(false);
  expect([...world.server.room(sphere.row.room).affiliations.keys()]).toEqual([ana.jid, ben.jid]);
});

test('an owner who was away when somebody left renews the key on return, before anything is shared', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const { id, row } = await world.sphere(ana, ben, eve);
  const { room } = row;
  await ana.stop();
  await eve.session.members.leave(id, noSignal);
  await world.quiet();
  await ana.start();
  await world.quiet();
  expect(epochsOf(ana)).toHaveLength(2);
  expect(epochsOf(ben)).toEqual(epochsOf(ana));
  expect(world.server.room(room).affiliations.has(eve.jid)).toBe(false);
});

test('a removal during which the connection breaks closes the room to them later', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  ana.session.link.goOffline();
  await ana.session.members.remove(sphere.id, eve.jid, noSignal);
  expect(world.server.room(sphere.row.room).affiliations.has(eve.jid)).toBe(true);
  await ana.session.goOnline();
  await world.quiet();
  expect(world.server.room(sphere.row.room).affiliations.has(eve.jid)).toBe(false);
  expect(eve.session.sphere().row.state).toBe('removed');
  expect(epochsOf(ben)).toEqual(epochsOf(ana));
});

test('whoever comes back by a new invitation is welcomed again, with the keys of the meantime', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  await ben.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  const meantime = await ana.share('meantime.mp4');
  ana.session.messages.say(sphere.id, 'we missed you');
  await world.bringIn(ana, ben);
  expect(canRead(ben, meantime)).toBe(true);
  expect(ben.session.texts()).toEqual(['we missed you']);
  expect(ben.session.sphere().row.folder).toMatch(/Summer$/);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a welcome survives a crash of whoever invited', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana);
  await ana.share('beach.mp4');
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  await world.quiet();
  // The answer is read; everything that would follow from it is cut off.
  ana.session.link.beforeSend = () => new Promise(() => undefined);
  const [invitation] = ben.session.storage.invitations.list('open');
  await ben.session.members.join(invitation?.id ?? '', noSignal);
  await expect.poll(() => ana.session.sphere().state.members.get(ben.jid)?.state).toBe('joined');
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(epochsOf(ben)).toEqual(epochsOf(ana));
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('an answer whose welcome was never begun is welcomed after the next start', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana);
  const [join] = await answerWithoutWelcome(world, ana, ben);
  expect(join).toBe('joined');
  await ana.start();
  await world.quiet();
  expect(epochsOf(ben)).toEqual(epochsOf(ana));
});

/** The answer is kept, and the program ends before anything else. */
async function answerWithoutWelcome(world: SimWorld, ana: SimPerson, ben: SimPerson) {
  await ana.session.members.invite(ana.session.sphere().id, ben.jid, noSignal);
  await world.quiet();
  ana.session.caretaker.welcome = () => undefined;
  await world.accept(ben);
  const state = ana.session.sphere().state.members.get(ben.jid)?.state;
  await ana.stop();
  return [state];
}

test('two people invited at once both come in and see each other', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana);
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  await ana.session.members.invite(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await Promise.all([world.accept(ben), world.accept(eva)]);
  await world.quiet();
  for (const person of [ben, eva]) expect(person.session.eventIds()).toEqual(ana.session.eventIds());
  ben.session.messages.say(sphere.id, 'hello eva');
  await world.quiet();
  expect(eva.session.texts()).toEqual(['hello eva']);
});

test('an answer that could not be kept leaves the invitation open and no half sphere', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana);
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const { storage } = ben.session;
  const { update } = storage.invitations;
  storage.invitations.update = () => {
    throw new Error('the disk is full');
  };
  await expect(world.accept(ben)).rejects.toThrow('the disk is full');
  expect(ben.session.list.all()).toEqual([]);
  storage.invitations.update = update;
  await world.accept(ben);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
  expect(ben.session.eventIds().filter((id) => ana.session.sphere().log.get(id)?.type === 'join')).toHaveLength(1);
});

test('a sphere that could not be kept when it was founded is not there at all', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  ana.session.storage.outbox.add = () => {
    throw new Error('the disk is full');
  };
  await expect(ana.session.members.create('Summer', noSignal)).rejects.toThrow('the disk is full');
  expect(ana.session.list.all()).toEqual([]);
  expect(ana.session.storage.spheres.list()).toEqual([]);
});

test('what a newcomer lacks is not given twice while their welcome leaves over a slow server, and is when that stays', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const sphere = ana.session.sphere();
  const { storage, link } = ana.session;
  link.goOffline();
  const isJoin = (event: { type: string }): event is KnownEvent<'join'> => event.type === 'join';
  const joined = sphere.log.events().find(isJoin);
  if (joined === undefined) throw new Error('nobody has joined');
  const rest = { packs: { give: () => false }, queued: () => undefined, clock: world.clock, log: silentLogger };
  const answers = new LogAnswers({ storage, ...rest });
  const ask = (): number => {
    const want = { to: sphere.device, ranges: [], ids: sphere.log.events().map(({ id }) => id) };
    answers.answer({ sphere, device: joined.header.device }, want);
    return storage.outbox.queued().filter(({ to }) => to === ben.jid).length;
  };
  welcomeDevice(sphere, storage, joined, { isPresent: true });
  expect(ask()).toBe(0);
  // All that the device may have missed is queued for it alone, each with its own time.
  const audience = { kind: 'device', device: joined.header.device } as const;
  await world.clock.advance(61_000);
  sphere.enqueue(joined, [], { audience });
  expect(ask()).toBe(1);
});
