import { expect, test } from 'vitest';
import { parseEventId } from '../../src/base/id.ts';
import { mayObject } from '../../src/spheres/new-owner.ts';
import { encodeEnvelope, entryOf } from '../../src/spheres/protocol/envelope.ts';
import type { SignedEvent } from '../../src/spheres/protocol/event.ts';
import { buildEvent } from '../../src/spheres/protocol/event.ts';
import { knownDevices } from '../../src/spheres/recipients.ts';
import type { SimPerson } from './sim-world.ts';
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

const objectionsAt = ({ session }: SimPerson): number =>
  session
    .sphere()
    .log.events()
    .filter(({ type }) => type === 'object').length;

/** Tells somebody alone, in one message, twenty objections to every vote there ever was. */
function flood(from: SimPerson, to: SimPerson, wrong: { lamport?: number; wallMs?: number } = {}): void {
  const sphere = from.session.sphere();
  const { author } = from.session.identity;
  const votes = sphere.log.events().flatMap(({ id, type }) => (type === 'succession' ? [id as string] : []));
  const header = { ...sphere.log.nextHeader(author.device.id, 0), ...wrong };
  const events = Array.from({ length: 20 }, (_, index) =>
    buildEvent(author, { ...header, wallMs: header.wallMs + index }, 'object', { votes }),
  );
  const envelope = encodeEnvelope(events.map((event) => entryOf(event as SignedEvent)));
  const audience = { kind: 'known', jid: to.jid, devices: knownDevices(sphere.state, to.jid) } as const;
  const eventId = parseEventId(events[0]?.id ?? '');
  // An honest program sends nothing any more.
  from.session.storage.spheres.update(sphere.id, { state: 'joined' });
  sphere.enqueueEnvelope(eventId, envelope, to.jid, { audience });
  from.session.outgoing.poke();
}

test('a former owner who was removed fills nobody’s log with objections to a vote to which they have objected', async () => {
  const { world, ana, ben, eva, id, roles } = await family();
  ben.session.newOwner.propose(id, ben.jid);
  await world.quiet();
  ana.session.newOwner.object(id);
  await world.quiet();
  ana.session.newOwner.offer(id, ben.jid);
  await world.quiet();
  ben.session.newOwner.accept(id);
  await world.quiet();
  await ben.session.members.remove(id, ana.jid, noSignal);
  await world.quiet();
  for (let time = 0; time < 3; time += 1) {
    flood(ana, ben, { wallMs: 100 * time });
    await world.pass(60_000);
  }
  expect([ben, eva].map(objectionsAt)).toEqual([1, 1]);
  expect(roles()).toMatchObject({ [ben.jid]: 'owner' });
});

test('of many objections to a vote at once, and of those that do not count, none but one stays', async () => {
  const { world, ana, ben, eva, id, roles } = await takenByBen();
  await ben.session.members.remove(id, ana.jid, noSignal);
  await world.quiet();
  // What goes back behind its own chain counts for nobody.
  flood(ana, ben, { lamport: 1 });
  await world.pass(60_000);
  expect([ben, eva].map(objectionsAt)).toEqual([0, 0]);
  flood(ana, ben);
  await world.until(() => roles()[ana.jid] === 'owner');
  expect([ben, eva].map(objectionsAt)).toEqual([1, 1]);
});

test('all computers of an owner who was removed learn that they have the sphere back', async () => {
  const { world, ana, ben, id } = await takenByBen();
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length === 1);
  await ben.session.members.remove(id, ana.jid, noSignal);
  await world.until(() => [ana, laptop].every(({ session }) => session.sphere().row.state === 'removed'));
  ana.session.newOwner.object(id);
  await world.until(() => ana.session.rooms.isInside(ana.session.sphere().row.room));
  await world.pass(2 * HOUR);
  expect([ana, laptop].map(({ session }) => session.sphere().row.state)).toEqual(['joined', 'joined']);
});
