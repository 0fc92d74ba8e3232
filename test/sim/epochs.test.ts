import { expect, test } from 'vitest';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const epochNumber = ({ session }: SimPerson) => session.sphere().epochs[0]?.number;
const stateOf = (person: SimPerson, of: SimPerson) => person.session.sphere().state.members.get(of.jid)?.state;

async function three() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  await world.pass(MINUTE);
  return { world, ana, ben, eva, sphere };
}

/** From now on the server keeps what is stored from these, live and in its archive; words of the moment pass. */
function hideFrom(world: SimWorld, ...people: SimPerson[]): void {
  const jids = new Set(people.map(({ jid }) => jid));
  world.server.deliver = (message, to) =>
    readEphemeral(message.stanza) === undefined && message.from !== to && jids.has(to) ? [] : [message];
  world.server.answerHistory = () => [];
}

test('a removal that the server hides, and the key that follows it, come from any other member', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  hideFrom(world, ben);
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.quiet();
  expect([stateOf(ben, eva), epochNumber(ben)]).toEqual(['joined', 0]);
  await world.until(() => epochNumber(ben) === 1);
  expect([stateOf(ben, eva), epochNumber(ben)]).toEqual(['removed', 1]);
  ana.session.messages.say(sphere.id, 'without eva');
  await world.until(() => ben.session.texts().length === 1);
  expect(ben.session.texts()).toEqual(['without eva']);
});

test('whoever missed several epochs, and learns of the last one only, catches up', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  hideFrom(world, ben);
  for (const { jid } of [eva, dan]) await ana.session.members.remove(sphere.id, jid, noSignal);
  await world.until(() => epochNumber(ben) === 2);
  expect([epochNumber(ben), ben.session.eventIds()]).toEqual([2, ana.session.eventIds()]);
});

test('an epoch that came without its key gets it: whoever lacks it is not silent for ever', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  hideFrom(world, ben);
  world.server.account(ben.jid).links.clear();
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.quiet();
  world.server.account(ben.jid).links.add(ben.session.link);
  // Passed on by somebody who keeps the key to themselves.
  ben.session.list.take(ben.session.sphere(), ana.session.sphere().log.events());
  expect(() => ben.session.sphere().currentEpoch).toThrow('has not told us its key');
  await world.until(() => epochNumber(ben) === 1);
  expect(ben.session.sphere().currentEpoch.number).toBe(1);
});

test('two members who began an epoch at the same time, each unknown to the other, find together', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  hideFrom(world, ana, ben);
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await ben.session.members.remove(sphere.id, dan.jid, noSignal);
  await world.quiet();
  const agree = () => ana.session.eventIds().join() === ben.session.eventIds().join();
  await world.until(() => agree() && stateOf(ana, dan) === 'removed');
  expect(agree()).toBe(true);
  expect([stateOf(ana, dan), stateOf(ben, eva)]).toEqual(['removed', 'removed']);
  expect(ana.session.sphere().currentEpoch).toEqual(ben.session.sphere().currentEpoch);
});

test('a removed member who says that a key is lacking is told nothing', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  hideFrom(world, eva);
  // A server that helps: it keeps Eva in the room, and her removal from her.
  world.server.setAffiliation = () => undefined;
  eva.session.link.receive = () => undefined;
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.quiet();
  const { mail } = world.server.account(eva.jid);
  const before = mail.length;
  const sent = world.server.sent;
  await world.pass(30 * MINUTE);
  expect(world.server.sent).toBeGreaterThan(sent);
  expect([mail.length, epochNumber(eva), epochNumber(ben)]).toEqual([before, 0, 1]);
});

test('a server that makes up words under unknown keys makes a device speak ever more rarely', async () => {
  const { world, ana, ben, sphere } = await three();
  const message = {
    room: sphere.row.room,
    sphere: sphere.id,
    epoch: 'a'.repeat(64) as never,
    bytes: new Uint8Array(80),
  };
  const own = ben.session.sphere().device;
  let told = 0;
  ana.session.channel.onHeads.on(({ device }) => (told += device === own ? 1 : 0));
  for (let step = 0; step < 30; step += 1) {
    await ben.session.channel.receive(message);
    await world.pass(4 * MINUTE);
  }
  expect(told).toBeGreaterThan(2);
  expect(told).toBeLessThan(20);
});
