import { expect, test } from 'vitest';
import type { BareJid } from '../../src/base/id.ts';
import { peopleCalls } from '../../src/engine/people-calls.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import { plantDevice } from './plant-device.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const calls = peopleCalls({ holder: { session: ana.session }, clock: world.clock } as never);
  const { person } = ben.session.sphere();
  const compare = (isSame = true) => calls.verify({ person, jid: ben.jid, isSame }, noSignal);
  return { world, ana, ben, id, calls, compare };
}

const plant = async (world: SimWorld, jid: BareJid): Promise<number> => (await plantDevice(world, jid)).deviceId;

/** For which devices a line to Ben is encrypted that is said now. */
async function readersOf(world: SimWorld, ana: SimPerson, ben: SimPerson): Promise<readonly number[]> {
  const { mail } = world.server.account(ben.jid);
  const before = mail.length;
  ana.session.directory.forget();
  const { id } = ana.session.people.talk.say(ben.jid, 'between us');
  await world.until(() => ana.session.storage.directMessages.get(id)?.state !== 'queued');
  return mail.slice(before).flatMap(({ stanza }) => readOmemoMessage(stanza)?.keys.map((key) => key.deviceId) ?? []);
}

const vouchedBy = (person: SimPerson, at: SimPerson): (number[] | undefined)[] =>
  at.session.list.all().map(({ state }) => {
    const device = state.devices.get(person.session.identity.device.id);
    return device?.vouched.map(({ deviceId }) => deviceId);
  });

test('what a server puts into the lists of both reads a talk until they are compared, and nothing from then on', async () => {
  const { world, ana, ben, compare } = await two();
  const planted = [await plant(world, ben.jid), await plant(world, ana.jid)];
  expect(await readersOf(world, ana, ben)).toEqual(expect.arrayContaining(planted));
  await compare();
  expect(await readersOf(world, ana, ben)).toEqual([ben.session.omemo.deviceId]);
  await world.pass(3 * MINUTE);
  const asked = [ben.jid, ana.jid].map((jid) => ana.session.people.devices.list(jid).map(({ deviceId }) => deviceId));
  expect(asked).toEqual(planted.map((deviceId) => [deviceId]));
  // What was said to get nothing gets nothing either when the numbers turn out to differ.
  await compare(false);
  expect(await readersOf(world, ana, ben)).not.toContain(planted[0]);
});

test('whoever took the address of somebody compared gets nothing that is said to them', async () => {
  const { world, ana, ben, compare } = await two();
  await compare();
  const other = await plant(world, ben.jid);
  world.server.account(ben.jid).deviceIds = [other];
  expect(await readersOf(world, ana, ben)).toEqual([]);
  const [line] = ana.session.storage.directMessages.newest(ben.jid, 1);
  expect(line).toMatchObject({ state: 'failed', failure: 'not-vouched' });
  await ana.session.people.chooseDevice({ jid: ben.jid, deviceId: other, choice: 'let-in' }, noSignal);
  await world.until(() => ana.session.storage.directMessages.newest(ben.jid, 1)[0]?.state === 'sent');
});

test('somebody compared whom one meets in no sphere any more is still reached at their computers', async () => {
  const { world, ana, ben, id, compare } = await two();
  await compare();
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  await plant(world, ben.jid);
  expect(await readersOf(world, ana, ben)).toEqual([ben.session.omemo.deviceId]);
});

test('a program that came to an account later is vouched for once its person says so, and then others let it read', async () => {
  const { world, ana, ben, compare } = await two();
  await compare();
  const phone = await plant(world, ben.jid);
  ben.session.directory.forget();
  await ben.session.members.create('Later', noSignal);
  expect(vouchedBy(ben, ben)).toEqual([[], []]);
  expect(await readersOf(world, ana, ben)).not.toContain(phone);
  await world.pass(3 * MINUTE);
  expect(ben.session.people.devices.list(ben.jid)).toMatchObject([{ deviceId: phone, choice: 'open' }]);
  const says = peopleCalls({ holder: { session: ben.session } } as never);
  await says.chooseDevice({ jid: ben.jid, deviceId: phone, choice: 'let-in' }, noSignal);
  await world.quiet();
  expect([vouchedBy(ben, ben), vouchedBy(ben, ana)]).toEqual([[[phone], [phone]], [[phone]]]);
  expect(ana.session.people.devices.list(ben.jid)).toEqual([]);
  expect(await readersOf(world, ana, ben)).toContain(phone);
  await says.chooseDevice({ jid: ben.jid, deviceId: phone, choice: 'left-out' }, noSignal);
  await world.quiet();
  expect(vouchedBy(ben, ana)).toEqual([[]]);
  expect(await readersOf(world, ana, ben)).not.toContain(phone);
});

test('a line to somebody for whose devices nobody vouched leaves by itself once they do', async () => {
  const { world, ana, ben, compare } = await two();
  await compare();
  const phone = await plant(world, ben.jid);
  ben.session.directory.forget();
  await ben.session.directory.deviceIds(ben.jid);
  await world.pass(3 * MINUTE);
  world.server.account(ben.jid).deviceIds = [phone];
  expect(await readersOf(world, ana, ben)).toEqual([]);
  const line = () => ana.session.storage.directMessages.newest(ben.jid, 1)[0];
  expect(line()).toMatchObject({ state: 'failed', failure: 'not-vouched' });
  const says = peopleCalls({ holder: { session: ben.session } } as never);
  await says.chooseDevice({ jid: ben.jid, deviceId: phone, choice: 'let-in' }, noSignal);
  await world.until(() => line()?.state === 'sent');
  expect(line()?.failure).toBeNull();
});

/** A line to Ben has not left: nobody vouches for the one device that is listed. */
async function refused({ world, ana, ben, compare }: Awaited<ReturnType<typeof two>>): Promise<number> {
  await compare();
  const phone = await plant(world, ben.jid);
  world.server.account(ben.jid).deviceIds = [phone];
  expect(await readersOf(world, ana, ben)).toEqual([]);
  return phone;
}

test('a line that did not leave goes by itself to nobody when the numbers turn out to differ', async () => {
  const at = await two();
  await refused(at);
  await at.compare(false);
  await at.world.pass(10 * MINUTE);
  expect(at.ana.session.storage.directMessages.newest(at.ben.jid, 1)[0]).toMatchObject({ state: 'failed' });
});

test('a line that did not leave goes by itself to nobody who was blocked since', async () => {
  const at = await two();
  await refused(at);
  const { storage, people } = at.ana.session;
  storage.blocked.add(at.ben.jid);
  people.devices.onVouched.emit(at.ben.jid);
  await at.world.pass(MINUTE);
  expect(storage.directMessages.newest(at.ben.jid, 1)[0]).toMatchObject({ state: 'failed' });
});

test('what is taken back while nobody vouches for their devices is taken back there once somebody does', async () => {
  const at = await two();
  const { world, ana, ben, compare } = at;
  await compare();
  await readersOf(world, ana, ben);
  const { storage, people } = ana.session;
  const [line] = storage.directMessages.newest(ben.jid, 1);
  if (line === undefined) throw new Error('nothing was said');
  const all = world.server.account(ben.jid).deviceIds;
  world.server.account(ben.jid).deviceIds = [await plant(world, ben.jid)];
  ana.session.directory.forget();
  people.talk.retract(line.id);
  await world.pass(MINUTE);
  expect(storage.talkWords.list()).toHaveLength(1);
  world.server.account(ben.jid).deviceIds = all;
  await ana.session.directory.askDeviceIds(ben.jid);
  await world.pass(MINUTE);
  expect(storage.talkWords.list()).toEqual([]);
});

test('a computer that was ended is vouched for no more, also where it never came into a sphere', async () => {
  const { world, ben } = await two();
  const laptop = await world.another(ben);
  await world.until(() => vouchedBy(laptop, ben)[0] !== undefined);
  const { deviceId } = laptop.session.omemo;
  const lost = laptop.session.identity.device.id;
  await laptop.stop();
  await ben.session.members.create('Later', noSignal);
  expect(vouchedBy(ben, ben)[1]).toContain(deviceId);
  ben.session.devices.end(lost, true);
  await world.quiet();
  expect(vouchedBy(ben, ben).flat()).not.toContain(deviceId);
});

test('a program that is left out at one computer is vouched for by no other one that was not asked, unless it was let in there', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const [phone, tablet] = [await plant(world, ben.jid), await plant(world, ben.jid)];
  ben.session.directory.forget();
  await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => vouchedBy(laptop, ana)[0]?.includes(phone) === true);
  const say = async ({ session }: SimPerson, deviceId: number, choice: 'let-in' | 'left-out'): Promise<void> => {
    const says = peopleCalls({ holder: { session } } as never);
    await says.chooseDevice({ jid: ben.jid, deviceId, choice }, noSignal);
    await world.quiet();
  };
  await say(laptop, tablet, 'let-in');
  await say(ben, tablet, 'left-out');
  await say(ben, phone, 'left-out');
  const others = [laptop.session.omemo.deviceId, ben.session.omemo.deviceId];
  const programs = (at: SimPerson) => vouchedBy(at, ana)[0]?.filter((id) => !others.includes(id));
  expect([programs(ben), programs(laptop)]).toEqual([[], [tablet]]);
  expect(laptop.session.people.devices.list(ben.jid)).toMatchObject([
    { deviceId: tablet, choice: 'let-in' },
    { deviceId: phone, choice: 'left-out' },
  ]);
});

test('a second computer vouches for no more programs than the first one did', async () => {
  const { world, ben } = await two();
  const planted = await plant(world, ben.jid);
  const laptop = await world.another(ben);
  await world.until(() => vouchedBy(laptop, ben)[0] !== undefined);
  expect(vouchedBy(laptop, ben)[0]).not.toContain(planted);
  expect(vouchedBy(laptop, ben)[0]).toContain(ben.session.omemo.deviceId);
});

test('a computer that was ended reads nothing more although another one of its person had vouched for it', async () => {
  const { world, ana, ben, compare } = await two();
  const laptop = await world.another(ben);
  await world.until(() => vouchedBy(laptop, ana)[0] !== undefined);
  await world.until(() => laptop.session.devices.list().length === 2);
  await compare();
  const { deviceId } = ben.session.omemo;
  const lost = ben.session.identity.device.id;
  expect(vouchedBy(laptop, ana)[0]).toContain(deviceId);
  await ben.stop();
  laptop.session.devices.end(lost, true);
  await world.until(() => ana.session.sphere().state.endedDevices.has(lost));
  world.server.account(ben.jid).deviceIds.push(deviceId);
  expect(vouchedBy(laptop, ana)[0]).not.toContain(deviceId);
  expect(await readersOf(world, ana, laptop)).not.toContain(deviceId);
});
