import { expect, test } from 'vitest';
import { backAlone, saidAndKept } from './back-alone.ts';
import { boast } from './boast.ts';
import { noSignal, SimWorld } from './sim-world.ts';
import { idOf, say, sayBehindGap, silence, sphereAt, textsAt, twoSpheres, unheard } from './two-spheres.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('a stolen computer is ended within hours although it boasts of what it never said', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  boast(laptop);
  laptop.session.logs.meet(laptop.session.sphere('Summer'));
  await world.pass(5 * MINUTE);
  ben.session.devices.end(lost);
  await world.pass(3 * HOUR);
  expect(sphereAt(ana, 'Summer').endedDevices.has(lost)).toBe(true);
});

test('a computer that is on gives what it says that it has before it is ended', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  ben.session.devices.end(lost);
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(textsAt(ana)).toEqual(['swallowed', 'heard']);
});

test('a stolen computer whose line has a gap that nobody can fill is ended once its person wants it gone at once', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.pass(2 * HOUR);
  const ended = () => [ana, ben].map((one) => sphereAt(one, 'Summer').endedDevices.has(lost));
  expect([...ended(), ben.session.devices.isEnding(lost)]).toEqual([false, false, true]);
  ben.session.devices.end(lost, true);
  await world.pass(MINUTE);
  expect([...ended(), ben.session.devices.isEnding(lost)]).toEqual([true, true, false]);
});

test('what somebody told of is waited for although they are gone and the program was started anew', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(2 * HOUR);
  const asking = unheard(ben);
  const hidden = world.server.deliver;
  const { archive } = world.server.room(ben.session.sphere('Summer').row.room);
  const before = archive.length;
  world.server.deliver = (message, to) => (to === ben.jid ? [] : [message]);
  say(laptop, 'for ana alone');
  await world.quiet();
  archive.splice(before);
  world.server.deliver = hidden;
  ana.session.logs.meet(ana.session.sphere('Summer'));
  await world.pass(MINUTE);
  await ana.stop();
  await laptop.stop();
  ben.session.devices.end(lost);
  await ben.stop();
  await ben.start();
  await world.pass(2 * HOUR);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  asking.isMute = false;
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect([ana, ben].map((one) => textsAt(one))).toEqual([['for ana alone'], ['for ana alone']]);
});

test('somebody who came in while this computer lay in a drawer loses nothing when the one that let them in is ended', async () => {
  const world = new SimWorld();
  const [ben, ana] = [await world.person('ben'), await world.person('ana')];
  await ben.session.members.create('Summer', noSignal);
  const tablet = await world.another(ben);
  await world.until(() => tablet.session.list.all().length === 1 && ben.session.devices.list().length === 2);
  await tablet.stop();
  await world.bringIn(ben, ana);
  const item = await ben.share('summer.mp4');
  await world.until(() => sphereAt(ana, 'Summer').items.has(item));
  const lost = idOf(ben);
  for (const person of [ben, ana]) await person.stop();
  world.server.answerHistory = () => [];
  world.clock.turnBack(-10 * DAY);
  await tablet.start();
  tablet.session.devices.end(lost);
  await world.pass(2 * HOUR);
  world.server.answerHistory = (entries) => entries;
  await ana.start();
  await world.pass(30 * MINUTE);
  const { items, members, endedDevices } = sphereAt(ana, 'Summer');
  expect([items.has(item), members.get(ana.jid)?.state, endedDevices.has(lost)]).toEqual([true, 'joined', false]);
});

test('a computer is ended although the others have not been met for a week, for the archive was read every two days', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  for (const person of [ana, laptop]) await person.stop();
  for (let day = 0; day < 8; day += 2) {
    await ben.stop();
    world.clock.turnBack(-2 * DAY);
    await ben.start();
    await world.pass(2 * HOUR);
  }
  ben.session.devices.end(lost);
  await world.pass(5 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(true);
});

test('as long as an end waits, the computer is told to be going and gets nothing from ours, whatever it asks for', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await ana.stop();
  await ben.stop();
  const answer = silence(world);
  await ben.start();
  ben.session.devices.end(lost);
  say(ben, 'a secret');
  await world.pass(30 * MINUTE);
  expect(textsAt(laptop)).toEqual([]);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  expect(ben.session.devices.isEnding(lost)).toBe(true);
  answer();
  await world.until(
    () => sphereAt(ben, 'Summer').endedDevices.has(lost) && sphereAt(ben, 'Winter').endedDevices.has(lost),
  );
  expect(ben.session.devices.isEnding(lost)).toBe(false);
  expect(textsAt(laptop)).toEqual([]);
});

test('a clock that was once ahead does not have a computer ended before somebody was met', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(2 * HOUR);
  await ana.stop();
  await laptop.stop();
  world.clock.turnBack(30 * DAY);
  await ben.stop();
  await ben.start();
  ben.session.devices.end(lost);
  await world.pass(30 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
});

test('whoever comes back with the kit while nobody is there for days takes nothing away of what the old computer said', async () => {
  const { world, ana, ben, item, gone } = await saidAndKept('ana');
  const phone = await backAlone(world, ana, ben);
  world.clock.turnBack(-3 * DAY);
  await world.pass(2 * HOUR);
  expect(sphereAt(phone, 'Summer').endedDevices.has(gone)).toBe(false);
  world.server.answerHistory = (entries) => entries;
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(gone));
  expect([textsAt(ana), sphereAt(ana, 'Summer').items.has(item)]).toEqual([['hello'], true]);
  expect([textsAt(phone), sphereAt(phone, 'Summer').items.has(item)]).toEqual([['hello'], true]);
});

test('a minute in which somebody is there and gives nothing, after days without anybody, ends nothing', async () => {
  const { world, ana, ben, item, gone } = await saidAndKept('ben');
  ben.session.members.rename(ben.session.sphere().id, 'Summer');
  await world.pass(2 * MINUTE);
  const phone = await backAlone(world, ana, ben);
  await phone.stop();
  world.clock.turnBack(-3 * DAY);
  await phone.start();
  const asking = unheard(phone);
  await ana.start();
  await world.pass(2 * MINUTE);
  await ana.stop();
  world.clock.turnBack(-3 * DAY);
  await world.pass(2 * HOUR);
  expect(sphereAt(phone, 'Summer').endedDevices.has(gone)).toBe(false);
  asking.isMute = false;
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(gone));
  expect(sphereAt(ana, 'Summer').items.has(item)).toBe(true);
});

test('a computer is ended although another one that is gone as well has left a gap that nobody can fill', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  const tablet = await world.another(ben);
  await world.until(() => sphereAt(ana, 'Summer').devices.has(idOf(tablet)) && ben.session.devices.list().length === 3);
  await world.pass(5 * MINUTE);
  const old = idOf(tablet);
  await sayBehindGap(world, tablet);
  await tablet.stop();
  ben.session.devices.end(old);
  await world.pass(2 * HOUR);
  await laptop.stop();
  ben.session.devices.end(lost);
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(sphereAt(ana, 'Summer').endedDevices.has(old)).toBe(false);
});

test('two stolen computers are ended within hours although one of them boasts of what both never said', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  const tablet = await world.another(ben);
  await world.until(() => sphereAt(ana, 'Summer').devices.has(idOf(tablet)) && ben.session.devices.list().length === 3);
  const stolen = [lost, idOf(tablet)];
  boast(tablet, stolen);
  tablet.session.logs.meet(tablet.session.sphere('Summer'));
  await world.pass(5 * MINUTE);
  await laptop.stop();
  for (const device of stolen) ben.session.devices.end(device);
  await world.pass(3 * HOUR);
  expect(stolen.map((device) => sphereAt(ana, 'Summer').endedDevices.has(device))).toEqual([true, true]);
});

test('what somebody told of after hours without this computer is waited for although they are gone again', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  await ben.stop();
  const { archive } = world.server.room(ana.session.sphere('Summer').row.room);
  const before = archive.length;
  say(laptop, 'for ana alone');
  await world.quiet();
  archive.splice(before);
  world.clock.turnBack(-2 * HOUR);
  const answer = silence(world);
  await ben.start();
  unheard(ben);
  await world.pass(2 * MINUTE);
  for (const person of [laptop, ana, ben]) await person.stop();
  answer();
  await ben.start();
  ben.session.devices.end(lost);
  await world.pass(2 * HOUR);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(textsAt(ana)).toEqual(['for ana alone']);
});

test('what others told before this computer slept for weeks does not count as if they were there', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  ben.session.link.goOffline();
  const item = await laptop.share('summer.mp4');
  await world.until(() => sphereAt(ana, 'Summer').items.has(item));
  await laptop.stop();
  await ana.stop();
  world.server.room(ben.session.sphere('Summer').row.room).archive.splice(0);
  world.clock.turnBack(-20 * DAY);
  await ben.session.goOnline();
  ben.session.devices.end(lost);
  await world.pass(10 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(sphereAt(ana, 'Summer').items.has(item)).toBe(true);
});
