import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { viewDevice } from '../../src/engine/device-view.ts';
import { backAlone, saidAndKept } from './back-alone.ts';
import { noSignal, SimWorld } from './sim-world.ts';
import { idOf, saidAndShared, say, sayBehindGap, sphereAt, textsAt, twoSpheres, unheard } from './two-spheres.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('whoever wants a computer gone at once takes nothing away in a sphere that comes later', async () => {
  const { world, ana, ben, gone } = await saidAndKept('ana');
  ben.session.link.put = () => Promise.reject(new AppError('disconnected', 'the vault is away'));
  const { id } = await ana.session.members.create('Winter', noSignal);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  say(ben, 'in winter', 'Winter');
  await world.pass(2 * MINUTE);
  const phone = await backAlone(world, ana, ben);
  phone.session.devices.end(gone, true);
  await world.until(() => sphereAt(phone, 'Summer').endedDevices.has(gone));
  await ana.start();
  await world.until(() => sphereAt(ana, 'Winter').endedDevices.has(gone));
  expect([ana, phone].map((one) => textsAt(one, 'Winter'))).toEqual([['in winter'], ['in winter']]);
});

test('whoever wants a computer gone at once keeps what somebody who is there is just about to give', async () => {
  const { world, ana, ben, item } = await saidAndShared();
  const lost = idOf(ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all().length === 1);
  await ben.stop();
  laptop.session.devices.end(lost, true);
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect([ana, laptop].map((one) => sphereAt(one, 'Summer').items.has(item))).toEqual([true, true]);
});

test('a computer that its person wants gone at once is ended within minutes although the archive does not answer', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  for (const person of [ana, laptop, ben]) await person.stop();
  world.server.answerHistory = () => {
    throw new Error('the archive is broken');
  };
  await ben.start();
  ben.session.devices.end(lost, true);
  await world.pass(MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await world.pass(6 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(true);
});

test('a computer whose end waits after a recovery kit is given no new sphere of its person', async () => {
  const { world, ana, ben, gone } = await saidAndKept('ana');
  const phone = await backAlone(world, ana, ben);
  expect(phone.session.devices.isEnding(gone)).toBe(true);
  phone.session.link.put = () => Promise.reject(new AppError('disconnected', 'the vault is away'));
  await phone.session.members.create('Winter', noSignal);
  await ben.start();
  await world.pass(5 * MINUTE);
  await phone.session.members.create('Spring', noSignal);
  await world.pass(5 * MINUTE);
  expect(ben.session.list.all().map(({ state }) => state.name)).toEqual(['Summer']);
});

test('a computer whose end waits, and that took a new sphere out of the vault, gets nothing there either', async () => {
  const { world, ana, ben, gone } = await saidAndKept('ben');
  ben.session.members.rename(ben.session.sphere().id, 'Summer');
  await world.pass(2 * MINUTE);
  world.clock.turnBack(-48 * HOUR);
  const phone = await backAlone(world, ana, ben);
  unheard(phone);
  await phone.session.members.create('Winter', noSignal);
  await world.pass(5 * MINUTE);
  await ben.start();
  await world.until(() => ben.session.list.all().length === 2);
  await world.pass(MINUTE);
  say(phone, 'a secret', 'Winter');
  await world.pass(MINUTE);
  expect(phone.session.devices.isEnding(gone)).toBe(true);
  expect(textsAt(ben, 'Winter')).toEqual([]);
});

test('a computer whose end waits after a recovery kit is shown to be taken away', async () => {
  const { world, ana, ben, gone } = await saidAndKept('ana');
  const { devices } = (await backAlone(world, ana, ben)).session;
  const views = devices.list().map((row) => viewDevice(row, devices.isEnding(row.device)));
  expect(views.find(({ device }) => device === gone)?.state).toBe('ending');
});

test('whoever comes back because all is gone ends what was before also in a sphere of nobody else', async () => {
  const world = new SimWorld();
  const ben = await world.person('ben');
  await ben.session.members.create('Alone', noSignal);
  const [kit, gone] = [ben.kit(), idOf(ben)];
  ben.session.vault.changed();
  await world.pass(2 * MINUTE);
  await ben.stop();
  const phone = await world.comeBack('ben', kit, { endsOthers: true });
  await world.until(() => phone.session.list.all().length === 1);
  await world.pass(3 * HOUR);
  expect(sphereAt(phone, 'Alone').endedDevices.has(gone)).toBe(true);
  expect(phone.session.devices.isEnding(gone)).toBe(false);
});

test('a computer is removed without a connection, and everybody hears of it with the next one', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  await laptop.stop();
  ben.session.link.goOffline();
  ben.session.devices.end(lost);
  await ben.session.goOnline();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(world.server.account(ben.jid).deviceIds).toHaveLength(1);
});

test('a computer whose end waits gets nothing although it puts itself back on the list, which it leaves with its end', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  const { deviceId } = laptop.session.omemo;
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(2 * MINUTE);
  const account = world.server.account(ben.jid);
  const here = ben.session.omemo.deviceId;
  expect(account.deviceIds).toEqual([here]);
  account.deviceIds.push(deviceId);
  ben.session.directory.forget();
  expect(await ben.session.directory.deviceIds(ben.jid)).toEqual([here]);
  const { id } = await ana.session.members.create('Spring', noSignal);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  expect(sphereAt(ana, 'Spring').devices.get(idOf(ben))?.vouched).toEqual([]);
  ben.session.devices.end(lost, true);
  await world.until(() => !ben.session.devices.isEnding(lost));
  await world.pass(MINUTE);
  expect(account.deviceIds).toEqual([here]);
});

test('at once comes within minutes although the program is started anew and nobody is there', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(10 * MINUTE);
  await ana.stop();
  await ben.stop();
  await ben.start();
  await world.pass(MINUTE);
  ben.session.devices.end(lost, true);
  await ben.stop();
  await ben.start();
  await world.pass(2 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(true);
});
