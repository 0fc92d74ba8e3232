import { expect, test } from 'vitest';
import { mayObject } from '../../src/spheres/new-owner.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Whoever is there switches off for a while. */
async function later(world: SimWorld, ms: number): Promise<void> {
  const people = world.people.filter(({ isRunning }) => isRunning);
  for (const person of people) await person.stop();
  await world.clock.advance(ms);
  for (const person of people) await person.start();
  await world.quiet();
}

async function family() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  const { affiliations } = world.server.room(sphere.row.room);
  const rights = () => Object.fromEntries(affiliations);
  const roles = () =>
    Object.fromEntries([...eva.session.sphere().state.members.values()].map(({ jid, role }) => [jid, role]));
  return { world, ana, ben, eva, id: sphere.id, rights, roles };
}

test('a sphere that is handed over has its new owner in the log and in the room, and the old one may leave', async () => {
  const { world, ana, eva, ben, id, rights, roles } = await family();
  expect(() => eva.session.newOwner.accept(id)).toThrow(expect.objectContaining({ code: 'not-found' }));
  ana.session.newOwner.offer(id, eva.jid);
  await world.quiet();
  eva.session.newOwner.accept(id);
  await world.quiet();
  expect(roles()).toEqual({ [ana.jid]: 'admin', [ben.jid]: 'admin', [eva.jid]: 'owner' });
  await world.pass(2 * HOUR);
  expect(rights()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'admin', [eva.jid]: 'owner' });
  await ana.session.members.leave(id, noSignal);
  await world.quiet();
  await world.pass(2 * HOUR);
  expect(rights()).toEqual({ [ben.jid]: 'owner', [eva.jid]: 'owner' });
  expect(eva.session.sphere().state.members.get(ana.jid)?.state).toBe('left');
});

test('with the owner’s only device destroyed its organisers choose who follows, and the room follows them', async () => {
  const { world, ana, ben, eva, id, rights, roles } = await family();
  await ana.stop();
  ben.session.newOwner.propose(id, ben.jid);
  await world.quiet();
  await later(world, 6 * DAY);
  expect(roles()).toMatchObject({ [ana.jid]: 'owner' });
  await later(world, 2 * DAY);
  expect(roles()).toEqual({ [ana.jid]: 'member', [ben.jid]: 'owner', [eva.jid]: 'member' });
  expect(rights()).toEqual({ [ana.jid]: 'member', [ben.jid]: 'owner', [eva.jid]: 'member' });
  ben.session.members.setRole(id, eva.jid, 'admin');
  await world.quiet();
  expect(rights()).toMatchObject({ [eva.jid]: 'owner' });
});

test('an owner who is only away and objects keeps the sphere', async () => {
  const { world, ana, ben, id, roles } = await family();
  ben.session.newOwner.propose(id, ben.jid);
  await world.quiet();
  ana.session.newOwner.object(id);
  await world.quiet();
  await later(world, 9 * DAY);
  expect(roles()).toMatchObject({ [ana.jid]: 'owner', [ben.jid]: 'admin' });
  expect(() => ana.session.newOwner.object(id)).toThrow(expect.objectContaining({ code: 'not-found' }));
});

/** Ben takes the sphere at once, by a vote of his own that he dates a week back. */
async function takenByBen() {
  const all = await family();
  const { world, ben, id, roles, ana } = all;
  world.clock.turnBack(8 * DAY);
  ben.session.newOwner.propose(id, ben.jid);
  world.clock.turnBack(-8 * DAY);
  ben.session.newOwner.settle(ben.session.sphere());
  await world.quiet();
  expect(roles()).toMatchObject({ [ana.jid]: 'member', [ben.jid]: 'owner' });
  return all;
}

test('an owner who was given no time to object has the sphere back by objecting afterwards', async () => {
  const { world, ana, eva, ben, id, roles } = await takenByBen();
  expect(() => eva.session.newOwner.object(id)).toThrow(expect.objectContaining({ code: 'not-allowed' }));
  expect([mayObject(ana.session.sphere()), mayObject(eva.session.sphere())]).toEqual([true, false]);
  ana.session.newOwner.object(id);
  await world.quiet();
  expect(roles()).toMatchObject({ [ana.jid]: 'owner', [ben.jid]: 'admin' });
  expect(mayObject(ana.session.sphere())).toBe(false);
});

test('an owner whom somebody removed after taking the sphere has it back too, and comes into the room again', async () => {
  const { world, ana, eva, ben, id, roles } = await takenByBen();
  const { room } = ana.session.sphere().row;
  await ben.session.members.remove(id, ana.jid, noSignal);
  await world.quiet();
  expect(ana.session.sphere().row.state).toBe('removed');
  ana.session.newOwner.object(id);
  await world.until(() => ana.session.rooms.isInside(room));
  expect(roles()).toMatchObject({ [ana.jid]: 'owner', [ben.jid]: 'admin' });
  expect(ana.session.sphere().row.state).toBe('joined');
  eva.session.messages.say(id, 'welcome back');
  await world.until(() => ana.session.texts().length === 1);
  expect(ana.session.texts()).toEqual(['welcome back']);
});
