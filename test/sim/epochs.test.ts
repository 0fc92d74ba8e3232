import { expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Caretaker } from '../../src/spheres/caretaker.ts';
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

/** Ana removes Eva, and Ben, an admin, Dan, neither knowing of it; whoever is `later` stands behind the other. Gil is an admin too. */
async function twoRemovals(later: 'ana' | 'ben') {
  const { world, ana, ben, eva, sphere } = await three();
  const [dan, gil] = [await world.person('dan'), await world.person('gil')];
  for (const person of [dan, gil]) await world.bringIn(ana, person);
  for (const { jid } of [ben, gil]) ana.session.members.setRole(sphere.id, jid, 'admin');
  await world.quiet();
  const { deliver } = world.server;
  const leaders = new Set<string | null>([ana.jid, ben.jid, gil.jid]);
  world.server.deliver = (message, to) =>
    message.from !== to && leaders.has(message.from) && leaders.has(to) ? [] : [message];
  for (const text of ['one', 'two']) (later === 'ana' ? ana : ben).session.messages.say(sphere.id, text);
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await ben.session.members.remove(sphere.id, dan.jid, noSignal);
  await world.quiet();
  world.server.deliver = deliver;
  const agree = (...people: SimPerson[]): boolean =>
    new Set(people.map(({ session }) => session.eventIds().join())).size === 1;
  const current = ({ session }: SimPerson) => session.sphere().state.currentEpoch?.id;
  const holds = ({ session }: SimPerson): boolean =>
    session.storage.epochs.get(sphere.id, current(ana) ?? '') !== undefined;
  return { world, ana, ben, eva, dan, gil, agree, current, holds };
}

for (const later of ['ana', 'ben'] as const) {
  test(`two removals at the same time, the one by ${later} behind the other: neither of the gone has the key that follows`, async () => {
    const { world, ana, ben, eva, dan, gil, agree, current, holds } = await twoRemovals(later);
    await world.until(() => agree(ana, ben, gil) && epochNumber(ana) === 2);
    await world.pass(10 * MINUTE);
    expect([ana, ben, gil].map((person) => current(person))).toEqual(Array(3).fill(current(ana)));
    expect([ana, ben, gil, eva, dan].map((person) => holds(person))).toEqual([true, true, true, false, false]);
    const { epochs, isEpochDue } = ana.session.sphere().state;
    expect(isEpochDue).toBe(false);
    await world.pass(12 * 60 * MINUTE);
    // The owner's alone; nobody answers it with another one.
    expect(ana.session.sphere().state.epochs).toEqual(epochs);
    expect(epochs.map(({ number }) => number).toSorted()).toEqual([0, 1, 1, 2]);
  });
}

test('two removals at the same time, and the owner has a version that takes no notice: an admin begins the key that follows', async () => {
  const { world, ana, ben, eva, dan, gil, agree, current, holds } = await twoRemovals('ana');
  ana.session.caretaker.renewEpochLater = () => Promise.resolve();
  await world.until(() => agree(ana, ben, gil) && (epochNumber(ana) ?? 0) > 1);
  await world.pass(30 * MINUTE);
  const { epochs, isEpochDue } = ana.session.sphere().state;
  expect(isEpochDue).toBe(false);
  await world.pass(12 * 60 * MINUTE);
  expect([ana, ben, gil].map(({ session }) => session.sphere().state.epochs)).toEqual(Array(3).fill(epochs));
  expect([ana, ben, gil].map((person) => current(person))).toEqual(Array(3).fill(current(gil)));
  expect([ana, ben, gil, eva, dan].map((person) => holds(person))).toEqual([true, true, true, false, false]);
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

test('two computers of an owner wait for the key that follows a removal differently long, so that one begins it', async () => {
  const { world, ana, eva, sphere } = await three();
  const { session } = ana;
  session.caretaker.renewEpoch = () => undefined;
  session.caretaker.renewEpochLater = () => Promise.resolve();
  await eva.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  expect(session.sphere().state.isEpochDue).toBe(true);
  const waits: number[] = [];
  for (const byte of [0, 255]) {
    const sleep = (ms: number): Promise<never> => {
      waits.push(ms);
      return Promise.reject(new Error('it waits'));
    };
    const clock = { now: () => 0, monotonic: () => 0, sleep };
    const { storage, list, rooms, own } = session;
    const random = (size: number) => new Uint8Array(size).fill(byte);
    const caretaker = new Caretaker({ storage, list, rooms, own, clock, random, log: silentLogger });
    await expect(caretaker.renewEpochLater(session.sphere(), noSignal)).rejects.toThrow('it waits');
  }
  const [first = 0, second = 0] = waits;
  expect([first, second - first > 10_000, second < MINUTE]).toEqual([20_000, true, true]);
});
