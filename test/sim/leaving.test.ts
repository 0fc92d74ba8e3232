import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { buildEvent } from '../../src/spheres/protocol/event.ts';
import { encodeEnvelope, entryOf } from '../../src/spheres/protocol/envelope.ts';
import { finishLeaving } from '../../src/spheres/finish-leaving.ts';
import { attr, xml } from '../../src/xmpp/element.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const stateOf = ({ session }: SimPerson) => session.sphere().row.state;
const sent = ({ session }: SimPerson) =>
  session.lines().flatMap(({ kind, text, state, failure }) => (kind === 'text' ? [[text, state, failure]] : []));

/** Ben is in a sphere of Ana's with a phone and a laptop. */
async function twoComputers() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id, row } = await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all()[0]?.epochs.length === 1);
  await world.until(() => ana.session.sphere().state.devices.size === 3);
  return { world, ana, ben, laptop, id, room: row.room };
}

test('whoever leaves by one computer has left by the other too, and what waits there to be said is shown as not sent', async () => {
  const { world, ana, ben, laptop, id, room } = await twoComputers();
  laptop.session.link.goOffline();
  laptop.session.messages.say(id, 'hello?');
  await ben.session.members.leave(id, noSignal);
  await world.pass(MINUTE);
  await laptop.session.goOnline();
  await world.pass(MINUTE);
  expect([stateOf(ben), stateOf(laptop)]).toEqual(['left', 'left']);
  expect(sent(laptop)).toEqual([['hello?', 'failed', 'not-a-member']]);
  expect([ana.session.texts(), laptop.session.rooms.isInside(room)]).toEqual([[], false]);
  expect(() => laptop.session.messages.say(id, 'again')).toThrow(expect.objectContaining({ code: 'not-a-member' }));
});

test('a computer that was off while another one left hears of it at its next start', async () => {
  const { world, ben, laptop, id } = await twoComputers();
  await laptop.stop();
  await ben.session.members.leave(id, noSignal);
  await world.pass(24 * 60 * MINUTE);
  await laptop.start();
  await world.pass(MINUTE);
  expect(stateOf(laptop)).toBe('left');
});

test('whoever joins again by one computer is back on the other too, with the keys and lines of the meantime', async () => {
  const { world, ana, ben, laptop, id } = await twoComputers();
  await ben.session.members.leave(id, noSignal);
  await world.pass(MINUTE);
  expect(stateOf(laptop)).toBe('left');
  await world.until(() => ana.session.sphere().epochs.length === 2);
  ana.session.messages.say(id, 'we missed you');
  await world.bringIn(ana, ben);
  await world.until(() => stateOf(laptop) === 'joined' && laptop.session.texts().join() === 'we missed you');
  await world.until(() => laptop.session.sphere().epochs.length === 2);
  laptop.session.messages.say(id, 'here I am');
  await world.until(() => ana.session.texts().length === 2);
  expect(ben.session.texts()).toEqual(['we missed you', 'here I am']);
  await laptop.stop();
  await laptop.start();
  await world.pass(MINUTE);
  expect([stateOf(ben), stateOf(laptop)]).toEqual(['joined', 'joined']);
  expect(laptop.session.storage.invitations.list('open')).toEqual([]);
});

test('an owner who left stays out, whatever their log says of the time before', async () => {
  const { world, ana, ben, id } = await twoComputers();
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  await world.bringIn(ana, ben);
  ana.session.newOwner.offer(id, ben.jid);
  await world.quiet();
  ben.session.newOwner.accept(id);
  await world.quiet();
  await ben.session.members.leave(id, noSignal);
  await ben.stop();
  await ben.start();
  await world.pass(MINUTE);
  expect(stateOf(ben)).toBe('left');
});

/** Ben, a member of Ana's sphere beside Eve, in a room whose server can be away. */
async function three() {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const { id, row } = await world.sphere(ana, ben, eve);
  const seenBy = (...people: SimPerson[]) =>
    people.map(({ session }) => session.sphere().state.members.get(ben.jid)?.state);
  const waiting = () => ben.session.storage.outbox.queued().filter(({ to }) => to !== ben.jid);
  return { world, ana, ben, eve, id, room: row.room, seenBy, waiting };
}

test('whoever leaves while the room’s server is away has left at once, and all hear of it when it is back', async () => {
  const { world, ana, ben, eve, id, room, seenBy, waiting } = await three();
  await world.server.setAway(room, true);
  ben.session.messages.say(id, 'farewell');
  await ben.session.members.leave(id, noSignal);
  expect(stateOf(ben)).toBe('left');
  let attempts = 0;
  ben.session.link.beforeSend = () => {
    attempts += 1;
    return Promise.resolve();
  };
  await world.pass(60 * MINUTE);
  expect(attempts).toBeLessThan(5);
  await world.server.setAway(room, false);
  await world.pass(MINUTE);
  expect(seenBy(ana, eve)).toEqual(['left', 'left']);
  expect([ana.session.texts(), sent(ben)]).toEqual([['farewell'], [['farewell', 'sent', null]]]);
  expect([waiting(), ben.session.rooms.isInside(room)]).toEqual([[], false]);
});

test('whoever leaves without a connection has left at once, and is in the room once more only to say so', async () => {
  const { world, ana, ben, eve, id, room, seenBy, waiting } = await three();
  ben.session.link.goOffline();
  await ben.session.members.leave(id, noSignal);
  expect([stateOf(ben), seenBy(ana)]).toEqual(['left', ['joined']]);
  await ben.stop();
  await ben.start();
  await world.pass(MINUTE);
  expect(seenBy(ana, eve)).toEqual(['left', 'left']);
  expect([waiting(), ben.session.rooms.isInside(room)]).toEqual([[], false]);
  eve.session.messages.say(id, 'we go on');
  await world.pass(MINUTE);
  expect([ana.session.texts(), ben.session.texts()]).toEqual([['we go on'], []]);
});

test('a room that says nothing holds up nobody who leaves', async () => {
  const { world, ana, ben, id, room, seenBy } = await three();
  const silence = Promise.withResolvers<void>();
  ben.session.link.beforeSend = () => silence.promise;
  const leaving = ben.session.members.leave(id, noSignal);
  await world.clock.advance(5_000);
  await leaving;
  expect([stateOf(ben), ben.session.rooms.isInside(room)]).toEqual(['left', true]);
  silence.resolve();
  await world.pass(MINUTE);
  expect([seenBy(ana), ben.session.rooms.isInside(room)]).toEqual([['left'], false]);
});

test('a room that no longer lets somebody in to say that they left is done with, and whoever decides hears it alone', async () => {
  const { world, ana, ben, eve, id, room, seenBy, waiting } = await three();
  await world.server.setAway(room, true);
  ben.session.messages.say(id, 'farewell');
  await ben.session.members.leave(id, noSignal);
  await ben.stop();
  await world.server.setAway(room, false);
  ana.session.caretaker.tidyRoom = () => Promise.resolve();
  world.server.setAffiliation(room, ben.jid, 'none');
  await ben.start();
  await world.pass(MINUTE);
  expect(seenBy(ana, eve)).toEqual(['left', 'left']);
  expect(sent(ben)).toEqual([['farewell', 'failed', 'not-a-member']]);
  expect([waiting(), ben.session.rooms.isRefused(room)]).toEqual([[], false]);
});

test('a room that stays away is not tried for ever by whoever left it: who decides in the sphere hears it alone', async () => {
  const { world, ana, ben, id, room, seenBy, waiting } = await three();
  await world.server.setAway(room, true);
  await ben.session.members.leave(id, noSignal);
  await ben.stop();
  await world.clock.advance(8 * 24 * 60 * MINUTE);
  await ben.start();
  await world.pass(MINUTE);
  expect(seenBy(ana)).toEqual(['joined']);
  await world.pass(7 * 60 * MINUTE);
  expect([seenBy(ana), waiting(), ben.session.sphere().wantsRoom]).toEqual([['left'], [], false]);
});

test('whoever left without a connection and was off for a week says so to the room, though the owner has left as well', async () => {
  const { world, ana, ben, eve, id, seenBy, waiting } = await three();
  await ana.session.members.leave(id, noSignal);
  ben.session.link.goOffline();
  await ben.session.members.leave(id, noSignal);
  await ben.stop();
  world.clock.turnBack(-8 * 24 * 60 * MINUTE);
  await ben.start();
  await world.pass(5 * MINUTE);
  expect([seenBy(eve), waiting()]).toEqual([['left'], []]);
});

test('a room that takes no word of somebody who leaves is told nothing more, and whoever decides hears it once', async () => {
  const { world, ana, ben, id, seenBy, waiting } = await three();
  let told = 0;
  ben.session.link.beforeSend = (stanza) => {
    if (attr(stanza, 'type') === 'groupchat')
      return Promise.reject(new AppError('not-allowed', 'no voice', { condition: 'forbidden', type: 'auth' }));
    told += attr(stanza, 'to') === ana.jid ? 1 : 0;
    return Promise.resolve();
  };
  const leaving = ben.session.members.leave(id, noSignal);
  for (let minute = 0; minute < 25; minute += 1) await world.pass(MINUTE);
  await leaving;
  expect([seenBy(ana), waiting(), told]).toEqual([['left'], [], 1]);
  await world.pass(5 * 60 * MINUTE);
  expect(told).toBe(1);
});

test('what looks after left spheres does not take the room from somebody who is just coming back', async () => {
  const { world, ana, ben, id, room } = await three();
  await ben.session.members.leave(id, noSignal);
  await world.pass(MINUTE);
  const { session } = ben;
  const join = session.rooms.join.bind(session.rooms);
  session.rooms.join = async (...rest) => {
    await join(...rest);
    await finishLeaving(
      { storage: session.storage, list: session.list, rooms: session.rooms, own: ben.jid },
      session.sphere(),
    );
  };
  await world.bringIn(ana, ben);
  await world.pass(MINUTE);
  expect([stateOf(ben), session.rooms.isInside(room)]).toEqual(['joined', true]);
});

test('whoever left while the room was away, and is asked anew, is in again and misses nothing', async () => {
  const { world, ana, ben, eve, id, room, seenBy } = await three();
  await world.server.setAway(room, true);
  await ben.session.members.leave(id, noSignal);
  world.server.sayInRoom(room, eve.jid, xml('message', { id: 'x' }, xml('body', {}, 'where are you?')));
  await world.server.setAway(room, false);
  await world.pass(MINUTE);
  await world.bringIn(ana, ben);
  await world.pass(MINUTE);
  const isInside = ben.session.rooms.isInside(room);
  expect([stateOf(ben), isInside, seenBy(ana, eve)]).toEqual(['joined', true, ['joined', 'joined']]);
  ben.session.messages.say(id, 'back');
  await world.until(() => ana.session.texts().includes('back'));
  expect(ben.session.texts()).toEqual(['where are you?', 'back']);
});

test('a sphere left by one computer while the room was away is left also when that computer never comes back', async () => {
  const { world, ana, ben, laptop, id, room } = await twoComputers();
  await world.server.setAway(room, true);
  await ben.session.members.leave(id, noSignal);
  await world.until(() => stateOf(laptop) === 'left');
  await ben.stop();
  await world.server.setAway(room, false);
  await world.pass(5 * MINUTE);
  expect(ana.session.sphere().state.members.get(ben.jid)?.state).toBe('left');
  expect(laptop.session.storage.outbox.queued()).toEqual([]);
});

test('a leaving that another member makes up in our name is not our last word', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  await world.sphere(ana, ben, eve);
  const sphere = eve.session.sphere();
  const { device } = eve.session.identity.author;
  const header = sphere.log.nextHeader(device.id, world.clock.now());
  const event = buildEvent({ person: ben.session.identity.author.person, device }, header, 'leave', {});
  const entry = encodeEnvelope([entryOf(event)]);
  sphere.enqueueEnvelope(event.id, entry, sphere.row.room, { audience: { kind: 'members' }, line: null });
  eve.session.outgoing.poke();
  await world.quiet();
  const mine = ben.session.sphere();
  expect(mine.log.verdict(event.id)).toMatchObject({ kind: 'refused' });
  expect(mine.lastWord).toBeUndefined();
});
