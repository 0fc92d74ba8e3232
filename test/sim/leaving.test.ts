import { expect, test } from 'vitest';
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
