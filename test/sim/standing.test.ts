import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

async function three() {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  const { room } = sphere.row;
  /** The server changes its list behind everybody's back, and keeps the owner's program from mending it. */
  const shutOut = (person: SimPerson): void => {
    ana.session.caretaker.tidyRoom = () => Promise.resolve();
    world.server.setAffiliation(room, person.jid, 'none');
  };
  return { world, ana, ben, eve, id: sphere.id, room, shutOut };
}

const stateOf = (person: SimPerson): string => person.session.sphere().row.state;
const isRefused = (person: SimPerson): boolean => person.session.rooms.isRefused(person.session.sphere().row.room);
const memberState = (seenBy: SimPerson, who: SimPerson): string | undefined =>
  seenBy.session.sphere().state.members.get(who.jid)?.state;

test('a server that shuts a member out ends no membership: what they write waits and arrives once they are let in', async () => {
  const { world, ana, ben, id, room, shutOut } = await three();
  shutOut(ben);
  ben.session.messages.say(id, 'can you hear me?');
  await world.quiet();
  expect([stateOf(ben), isRefused(ben)]).toEqual(['joined', true]);
  expect(ben.session.outgoing.isIdle).toBe(true);
  expect(ana.session.texts()).toEqual([]);
  expect(ben.session.swarm.names()).not.toContain('removeSphere');
  world.server.setAffiliation(room, ben.jid, 'member');
  ben.session.link.goOffline();
  await ben.session.goOnline();
  await world.quiet();
  expect(isRefused(ben)).toBe(false);
  expect(ana.session.texts()).toEqual(['can you hear me?']);
});

test('a member shut out while the program did not run is refused and still a member after the start', async () => {
  const { world, ana, ben, id, room, shutOut } = await three();
  await ben.stop();
  shutOut(ben);
  await ben.start();
  ben.session.messages.say(id, 'written outside');
  await world.quiet();
  expect([stateOf(ben), isRefused(ben)]).toEqual(['joined', true]);
  await ben.stop();
  world.server.setAffiliation(room, ben.jid, 'member');
  await ben.start();
  await world.quiet();
  expect(ana.session.texts()).toEqual(['written outside']);
});

test('who is let in again while the swarm still lets go of the sphere keeps room and swarm', async () => {
  const { world, ana, ben, id, room } = await three();
  const item = await ana.share('beach.mp4');
  await world.quiet();
  const { items, swarm } = ben.session;
  items.get(item);
  await items.placed(item, noSignal);
  await world.quiet();
  const gone = Promise.withResolvers<void>();
  swarm.answers.remove = () => gone.promise;
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  expect(stateOf(ben)).toBe('removed');
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  gone.resolve();
  await world.quiet();
  expect(stateOf(ben)).toBe('joined');
  expect([ben.session.rooms.isInside(room), swarm.spheres.has(id)]).toEqual([true, true]);
});

test('the owner’s program lets a member in again whom the server shut out, and tells their program so', async () => {
  const { world, ana, ben, id, room } = await three();
  world.server.setAffiliation(room, ben.jid, 'none');
  ben.session.messages.say(id, 'still here');
  await world.quiet();
  expect(world.server.room(room).affiliations.get(ben.jid)).toBe('member');
  expect(isRefused(ben)).toBe(false);
  expect(ana.session.texts()).toEqual(['still here']);
});

test('the owner’s program finds within the hour that a member who is away was shut out', async () => {
  const { world, ben, room } = await three();
  ben.session.link.goOffline();
  world.server.setAffiliation(room, ben.jid, 'none');
  await world.pass(3_600_000);
  expect(world.server.room(room).affiliations.get(ben.jid)).toBe('member');
});

test('a sphere that only the server’s word had ended is ours again after the next start', async () => {
  const { world, ana, ben, id } = await three();
  ben.session.storage.spheres.update(id, { state: 'removed' });
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(stateOf(ben)).toBe('joined');
  ana.session.messages.say(id, 'hello again');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['hello again']);
});

test('a member removed while away learns it from the log at the next start, and keeps what they had', async () => {
  const { world, ana, ben, eve, id } = await three();
  ana.session.messages.say(id, 'before');
  await world.quiet();
  await eve.stop();
  await ana.session.members.remove(id, eve.jid, noSignal);
  await world.quiet();
  await eve.start();
  await world.quiet();
  expect([stateOf(eve), memberState(eve, eve)]).toEqual(['removed', 'removed']);
  expect(eve.session.texts()).toEqual(['before']);
  expect(eve.session.swarm.names()).toContain('removeSphere');
  expect([memberState(ben, eve), stateOf(ben)]).toEqual(['removed', 'joined']);
});

test('whoever never heard of their removal can be invited again and comes back', async () => {
  const { world, ana, eve, id } = await three();
  const { sayTo } = world.server;
  world.server.sayTo = () => undefined;
  await ana.session.members.remove(id, eve.jid, noSignal);
  await world.quiet();
  expect([stateOf(eve), isRefused(eve)]).toEqual(['joined', true]);
  world.server.sayTo = sayTo;
  await ana.session.members.invite(id, eve.jid, noSignal);
  await world.quiet();
  expect(stateOf(eve)).toBe('removed');
  await world.accept(eve);
  expect([stateOf(eve), isRefused(eve), memberState(ana, eve)]).toEqual(['joined', false, 'joined']);
  expect(eve.session.eventIds()).toEqual(ana.session.eventIds());
});

test('somebody else’s word outside the room removes nobody', async () => {
  const { world, ana, ben, eve, id } = await three();
  const before = eve.session.eventIds();
  const zoe = await world.person('zoe');
  await zoe.session.members.create('Winter', noSignal);
  // Genuine events in the hands of somebody who is no member.
  const removal = { ...ana.session.sphere().row, id, state: 'joined' as const };
  zoe.session.storage.spheres.put(removal);
  await ana.session.members.remove(id, ben.jid, noSignal);
  const row = ana.session.storage.outbox.list('queued').find(({ to }) => to === ben.jid);
  if (row === undefined) throw new Error('nothing is told to ben');
  const { id: _id, ...copy } = row;
  const devices = [{ deviceId: eve.session.omemo.deviceId, identityKey: toHex(eve.session.omemo.identityKey) }];
  zoe.session.storage.outbox.add({ ...copy, to: eve.jid, audience: { kind: 'known', jid: eve.jid, devices } });
  const { room } = ana.session.sphere().row;
  world.server.deliver = () => [];
  world.server.room(room).archive.length = 0;
  zoe.session.outgoing.poke();
  await world.quiet();
  expect(zoe.session.storage.outbox.list('queued')).toEqual([]);
  expect(eve.session.eventIds()).toEqual(before);
});

test('leaving that is interrupted has happened, and is told after the next start', async () => {
  const { world, ana, ben, eve, id } = await three();
  ben.session.link.beforeSend = () => new Promise(() => undefined);
  const patience = new AbortController();
  const leaving = ben.session.members.leave(id, patience.signal);
  expect([stateOf(ben), memberState(ben, ben)]).toEqual(['left', 'left']);
  patience.abort(new Error('enough'));
  await leaving;
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect([memberState(ana, ben), memberState(eve, ben), stateOf(ben)]).toEqual(['left', 'left', 'left']);
  expect(ben.session.storage.outbox.list('queued')).toEqual([]);
});

test('whoever is kept out of the room can leave all the same: the owner tells the others', async () => {
  const { world, ana, ben, eve, id, shutOut } = await three();
  shutOut(ben);
  await world.quiet();
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  expect([memberState(ana, ben), memberState(eve, ben), stateOf(ben)]).toEqual(['left', 'left', 'left']);
  eve.session.messages.say(id, 'we go on');
  await world.quiet();
  expect(ana.session.texts()).toEqual(['we go on']);
  // Under a key that whoever left does not have.
  expect(eve.session.sphere().epochs).toHaveLength(2);
  expect(ben.session.sphere().epochs).toHaveLength(1);
});

test('lines that did not leave before their author left are told not to have been sent', async () => {
  const { world, ana, ben, id, shutOut } = await three();
  shutOut(ben);
  await world.quiet();
  const line = ben.session.messages.say(id, 'can you hear me?');
  await world.quiet();
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  expect(ben.session.storage.messages.get(line)).toMatchObject({ state: 'failed', failure: 'not-a-member' });
  expect(() => ben.session.messages.retry(id, line)).toThrow('no longer a member');
  expect(ben.session.storage.outbox.list('queued')).toEqual([]);
  // Back in, they can be sent after all.
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  ben.session.messages.retry(id, line);
  await world.quiet();
  expect(ana.session.texts()).toEqual(['can you hear me?']);
});

test('an owner who leaves ends nothing for the others, and can decide nothing any more', async () => {
  const { world, ana, ben, eve, id } = await three();
  // Nobody has to be told anything for it.
  ana.session.link.goOffline();
  await ana.session.members.leave(id, noSignal);
  ben.session.messages.say(id, 'we go on');
  await world.quiet();
  expect(eve.session.texts()).toEqual(['we go on']);
  expect(memberState(ben, ana)).toBe('joined');
  expect(stateOf(ana)).toBe('left');
  await expect(ana.session.members.invite(id, ben.jid, noSignal)).rejects.toMatchObject({ code: 'not-a-member' });
  await ana.stop();
  await ana.start();
  expect(stateOf(ana)).toBe('left');
});
