import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import type { DeviceKey } from '../../src/base/id.ts';
import { backAlone, saidAndKept } from './back-alone.ts';
import type { SimPerson, SimWorld } from './sim-world.ts';
import { idOf, sphereAt, textsAt, say, twoSpheres } from './two-spheres.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The OMEMO devices that stand on Ben's list. */
const listed = (world: SimWorld, { jid }: SimPerson): readonly number[] => world.server.account(jid).deviceIds;

/** A row for a computer that nobody has, under an OMEMO device of another. */
function makeUp(ben: SimPerson, like: DeviceKey): DeviceKey {
  const { ownDevices } = ben.session.storage;
  const row = ownDevices.get(like);
  if (row === undefined) throw new Error('no such computer');
  const device = 'ab'.repeat(32) as DeviceKey;
  ownDevices.put({ ...row, device, state: 'new', addedAtMs: 0 });
  return device;
}

test('a second computer that is removed while the first is being taken off the list leaves it too', async () => {
  const { world, ben, laptop, lost } = await twoSpheres();
  const tablet = await world.another(ben);
  await world.until(() => ben.session.devices.list().length === 3);
  await world.pass(5 * MINUTE);
  const second = idOf(tablet);
  for (const person of [laptop, tablet]) await person.stop();
  const { link } = ben.session;
  const publish = link.publishDeviceList.bind(link);
  const { promise, resolve } = Promise.withResolvers<void>();
  link.publishDeviceList = async (deviceIds) => {
    await promise;
    await publish(deviceIds);
  };
  ben.session.devices.end(lost);
  await world.quiet();
  ben.session.devices.end(second);
  await world.quiet();
  resolve();
  await world.pass(5 * MINUTE);
  expect(listed(world, ben)).toEqual([ben.session.omemo.deviceId]);
});

test('an end that could not be written leaves the list all the same, and is tried again', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  await laptop.stop();
  const { list } = ben.session;
  const publish = list.publish.bind(list);
  list.publish = () => {
    throw new AppError('disk-full', 'no room');
  };
  expect(() => ben.session.devices.end(lost)).toThrow('no room');
  await world.pass(5 * MINUTE);
  expect(listed(world, ben)).toEqual([ben.session.omemo.deviceId]);
  list.publish = publish;
  say(ana, 'hello');
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
});

test('a computer that introduces itself while its end waits keeps its name for its person, and gets nothing', async () => {
  const { world, ana, ben, gone } = await saidAndKept('ana');
  const phone = await backAlone(world, ana, ben);
  const { devices, storage } = phone.session;
  expect(devices.isEnding(gone)).toBe(true);
  storage.ownDevices.update(gone, { name: '' });
  await ben.start();
  await world.pass(MINUTE);
  expect(devices.list().find(({ device }) => device === gone)?.name).not.toBe('');
  say(phone, 'a secret');
  await world.pass(MINUTE);
  expect([devices.isEnding(gone), textsAt(ben).includes('a secret')]).toEqual([true, false]);
});

test('a computer stays on the list although one that was made up under its OMEMO device is removed', async () => {
  const { world, ben, laptop, lost } = await twoSpheres();
  ben.session.devices.confirm(lost);
  ben.session.devices.end(makeUp(ben, lost));
  await world.pass(5 * MINUTE);
  const { deviceId } = laptop.session.omemo;
  expect([ben.session.devices.isGone(deviceId), listed(world, ben).includes(deviceId)]).toEqual([false, true]);
});

test('a lost computer keeps no place on the list by one that it made up under its own OMEMO device', async () => {
  const { world, ben, laptop, lost } = await twoSpheres();
  makeUp(ben, lost);
  await world.pass(5 * MINUTE);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(5 * MINUTE);
  expect(listed(world, ben)).toEqual([ben.session.omemo.deviceId]);
});

test('a list that the server never lets us write is tried ever more slowly', async () => {
  const { world, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  await laptop.stop();
  let attempts = 0;
  ben.session.link.publishDeviceList = () => {
    attempts += 1;
    return Promise.reject(new AppError('not-allowed', 'the list is not for you'));
  };
  ben.session.devices.end(lost);
  await world.pass(MINUTE);
  for (let hours = 0; hours < 4; hours += 1) await world.pass(HOUR);
  expect(attempts).toBeGreaterThan(3);
  expect(attempts).toBeLessThan(16);
});
