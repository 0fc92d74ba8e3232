import { expect, test } from 'vitest';
import { boast } from './boast.ts';
import { noSignal, SimWorld } from './sim-world.ts';
import { idOf, saidAndShared, silence, sphereAt, twoSpheres, unheard } from './two-spheres.ts';

const MINUTE = 60_000;
test('a computer that was ended stays ended in a sphere that its person had left by then and joins again', async () => {
  const { world, ana, ben, laptop, lost, winter } = await twoSpheres();
  await ben.session.members.leave(winter, noSignal);
  await world.pass(10 * MINUTE);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(10 * MINUTE);
  await ana.session.members.invite(winter, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  await world.until(() => sphereAt(ana, 'Winter').endedDevices.has(lost));
  expect([sphereAt(ana, 'Winter').devices.has(lost), sphereAt(ana, 'Summer').devices.has(lost)]).toEqual([
    false,
    false,
  ]);
  await world.until(() => ana.session.sphere('Winter').epochs.length > 1);
  const ends = ana.session.sphere('Winter').log.events();
  expect(ends.filter(({ type }) => type === 'device-end')).toHaveLength(1);
});

test('a computer that was ended is ended later in another sphere although a member there tells of what nobody has', async () => {
  const { world, ana, ben, laptop, lost, winter } = await twoSpheres();
  await ben.session.members.leave(winter, noSignal);
  await world.pass(10 * MINUTE);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(10 * MINUTE);
  await ben.stop();
  await ben.start();
  boast(ana);
  await ana.session.members.invite(winter, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  await world.pass(180 * MINUTE);
  expect(sphereAt(ana, 'Winter').endedDevices.has(lost)).toBe(true);
});

test('a computer that was ended nowhere, because its person was in no sphere then, is ended in the first they join', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all().length === 1 && ben.session.devices.list().length === 2);
  await ben.session.members.leave(id, noSignal);
  await world.pass(MINUTE);
  const lost = idOf(laptop);
  await laptop.stop();
  ben.session.devices.end(lost);
  await ben.stop();
  await ben.start();
  await world.bringIn(ana, ben);
  await world.until(() => ana.session.sphere().state.endedDevices.has(lost));
  expect([...ana.session.sphere().state.devices.values()].map(({ jid }) => jid)).toEqual([ana.jid, ben.jid]);
});

test('a computer that has been off and at once ends another one takes nothing away that the other said meanwhile', async () => {
  const { world, ana, ben, laptop } = await twoSpheres();
  await laptop.stop();
  const [lost, item] = [idOf(ben), await ben.share('summer.mp4')];
  await world.until(() => sphereAt(ana, 'Summer').items.has(item));
  await ben.stop();
  await ana.stop();
  const answer = silence(world);
  await laptop.start();
  laptop.session.devices.end(lost);
  answer();
  // Nobody else is there, and nobody needs to be.
  await world.until(() => laptop.session.list.all().every(({ state }) => state.endedDevices.has(lost)));
  await ana.start();
  await world.until(() => ana.session.list.all().every(({ state }) => state.endedDevices.has(lost)));
  expect([laptop, ana].map((one) => sphereAt(one, 'Summer').items.has(item))).toEqual([true, true]);
});

test('a computer that is told to be gone while nobody is there is ended at the next start, when nobody is there either', async () => {
  const { world, ana, laptop, ben } = await twoSpheres();
  const lost = idOf(ben);
  await ben.stop();
  await ana.stop();
  await laptop.stop();
  const answer = silence(world);
  await laptop.start();
  laptop.session.devices.end(lost);
  await laptop.stop();
  answer();
  await laptop.start();
  await world.until(() => laptop.session.list.all().every(({ state }) => state.endedDevices.has(lost)));
  expect(laptop.session.list.all().map(({ state }) => state.devices.has(lost))).toEqual([false, false]);
});

test('a new computer that ends the one before takes nothing away that has not come to it yet', async () => {
  const { world, ana, ben, item } = await saidAndShared();
  const lost = idOf(ben);
  const laptop = await world.another(ben);
  const asking = unheard(laptop);
  await world.until(() => laptop.session.list.all().length === 1);
  await ben.stop();
  laptop.session.devices.end(lost);
  await world.pass(5 * MINUTE);
  asking.isMute = false;
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(sphereAt(ana, 'Summer').items.has(item)).toBe(true);
});

test.each(['has told of', 'has not told of yet', 'told of before it went off'])(
  'a new computer that ends the one before in a sphere of nobody else, and is started anew, keeps what this one %s',
  async (told) => {
    const world = new SimWorld();
    const ben = await world.person('ben');
    await ben.session.members.create('Alone', noSignal);
    const [item, lost] = [await ben.share('summer.mp4'), idOf(ben)];
    await world.pass(MINUTE);
    if (told === 'has not told of yet') ben.session.channel.say = () => Promise.resolve();
    const laptop = await world.another(ben);
    unheard(laptop);
    await world.until(() => laptop.session.list.all().length === 1);
    await world.pass(MINUTE);
    if (told === 'told of before it went off') await ben.stop();
    laptop.session.devices.end(lost);
    await world.pass(5 * MINUTE);
    await ben.stop();
    await laptop.stop();
    await laptop.start();
    await world.pass(5 * MINUTE);
    await ben.start();
    await world.until(() => sphereAt(laptop, 'Alone').endedDevices.has(lost));
    expect(sphereAt(laptop, 'Alone').items.has(item)).toBe(true);
  },
);

test('whoever comes back because all is gone ends what was before only once everything that it said has come', async () => {
  const { world, ana, ben, item } = await saidAndShared();
  const [kit, gone] = [ben.kit(), idOf(ben)];
  await ben.stop();
  const phone = await world.comeBack('ben', kit, { knows: [ana.jid], endsOthers: true });
  const asking = unheard(phone);
  await world.until(() => phone.session.list.all().length === 1);
  await world.pass(90 * MINUTE);
  asking.isMute = false;
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(gone));
  expect([ana, phone].map((one) => sphereAt(one, 'Summer').items.has(item))).toEqual([true, true]);
});

test('a program that dies while it ends a computer goes on with it at its next start, also in a sphere of nobody else', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await ben.session.members.create('Alone', noSignal);
  await world.until(() => ben.session.sphere('Alone').state.devices.has(lost));
  await world.pass(5 * MINUTE);
  await laptop.stop();
  const { publish } = ben.session.list;
  let count = 0;
  ben.session.list.publish = function (this: unknown, ...rest: Parameters<typeof publish>) {
    if (rest[1] === 'device-end' && (count += 1) > 1) throw new Error('the program died');
    return publish.apply(ben.session.list, rest);
  } as typeof publish;
  expect(() => ben.session.devices.end(lost)).toThrow('the program died');
  await ben.stop();
  await ben.start();
  await world.until(() => ben.session.list.all().every(({ state }) => state.endedDevices.has(lost)));
  await world.until(() => ana.session.list.all().every(({ state }) => state.endedDevices.has(lost)));
  expect(ben.session.list.all().map(({ state }) => state.devices.has(lost))).toEqual([false, false, false]);
  expect(world.server.account(ben.jid).deviceIds).toHaveLength(1);
});

/** Ben came back with his kit on a phone, because all that he had before is gone. */
async function back(aheadMs = 0) {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const [kit, gone] = [ben.kit(), idOf(ben)];
  await ben.stop();
  world.clock.turnBack(aheadMs);
  const phone = await world.comeBack('ben', kit, { knows: [ana.jid], endsOthers: true });
  await world.until(() => phone.session.list.all().length === 1);
  await world.pass(10 * MINUTE);
  return { world, ana, phone, gone };
}

test('a new computer whose clock is slow is not taken for one of those that were gone when its person came back', async () => {
  const { world, ana, phone, gone } = await back();
  world.clock.turnBack(60 * MINUTE);
  const laptop = await world.another(phone);
  await world.until(() => sphereAt(ana, 'Summer').devices.has(idOf(laptop)));
  await world.pass(30 * MINUTE);
  await phone.stop();
  await phone.start();
  await world.pass(30 * MINUTE);
  expect([...sphereAt(ana, 'Summer').endedDevices.keys()]).toEqual([gone]);
  expect(laptop.session.sphere().row.state).toBe('joined');
});

test('a computer of before whose clock was fast is ended when its person comes back because it is gone', async () => {
  const { ana, gone, phone } = await back(60 * MINUTE);
  expect([...sphereAt(ana, 'Summer').endedDevices.keys()]).toEqual([gone]);
  // Done once for all: whoever comes into this sphere later is new.
  const noted = phone.session.storage.settings.get('return', (value) => value);
  expect(noted).toMatchObject({ endsOthers: true, endedIn: [phone.session.sphere().id] });
});

test.each([0, 120])(
  'a new computer that makes a sphere is not ended in it by the one on which its person came back, its clock being %i minutes slow',
  async (slow) => {
    const { world, phone } = await back();
    await world.pass(30 * MINUTE);
    world.clock.turnBack(slow * MINUTE);
    const laptop = await world.another(phone);
    await world.until(() => laptop.session.list.all().length === 1);
    await laptop.session.members.create('Winter', noSignal);
    await world.until(() => phone.session.list.all().length === 2 && sphereAt(laptop, 'Winter').devices.size === 2);
    await world.pass(30 * MINUTE);
    expect([phone, laptop].map((one) => sphereAt(one, 'Winter').endedDevices.size)).toEqual([0, 0]);
  },
);

test('a new computer whose name did not come is not ended in a sphere that it makes, being in one where all others were', async () => {
  const { world, phone } = await back();
  await world.pass(30 * MINUTE);
  const { ownDevices } = phone.session.storage;
  const put = ownDevices.put.bind(ownDevices);
  ownDevices.put = (row) => put(row.state === 'here' ? row : { ...row, name: '' });
  const laptop = await world.another(phone);
  await world.until(() => laptop.session.list.all().length === 1 && phone.session.devices.list().length > 2);
  await laptop.session.members.create('Winter', noSignal);
  await world.until(() => phone.session.list.all().length === 2 && sphereAt(laptop, 'Winter').devices.size === 2);
  await world.pass(30 * MINUTE);
  expect([phone, laptop].map((one) => sphereAt(one, 'Winter').endedDevices.size)).toEqual([0, 0]);
});

test('a computer that was ended does not look many times a second for something to do', async () => {
  const { world, ben, laptop, lost } = await twoSpheres();
  ben.session.devices.end(lost);
  await world.until(() => laptop.session.devices.isEnded);
  await world.pass(10 * MINUTE);
  let waits = 0;
  const sleep = world.clock.sleep.bind(world.clock);
  world.clock.sleep = (ms, signal) => {
    waits += 1;
    return sleep(ms, signal);
  };
  await world.pass(10 * MINUTE);
  expect(waits).toBeLessThan(200);
});
