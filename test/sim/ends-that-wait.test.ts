import { expect, test } from 'vitest';
import { boast } from './boast.ts';
import type { SimPerson, SimWorld } from './sim-world.ts';
import { noSignal } from './sim-world.ts';
import { sphereAt, twoSpheres } from './two-spheres.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What people wrote, as far as it can be read. */
const textsAt = ({ session }: SimPerson) =>
  session.storage.messages
    .newest(session.sphere('Summer').id, 99)
    .flatMap(({ kind, state, text }) => (kind === 'text' && state !== 'undecryptable' ? [text] : []));
const say = ({ session }: SimPerson, text: string) => session.messages.say(session.sphere('Summer').id, text);

/** The archive of a server that does not answer; until the returned function is called. */
function silence({ server }: SimWorld): () => void {
  const { answerHistory } = server;
  server.answerHistory = () => {
    throw new Error('the archive is slow');
  };
  return () => {
    server.answerHistory = answerHistory;
  };
}

/** One line of a computer that the server swallows, so that a gap stands before what it says next. */
async function sayBehindGap(world: SimWorld, person: SimPerson): Promise<void> {
  const { server } = world;
  const { deliver } = server;
  const { archive } = server.room(person.session.sphere('Summer').row.room);
  const before = archive.length;
  server.deliver = () => [];
  say(person, 'swallowed');
  await world.quiet();
  archive.splice(before);
  server.deliver = deliver;
  say(person, 'heard');
  await world.quiet();
}

test('a stolen computer is ended within hours although it boasts of what it never said', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  boast(laptop);
  laptop.session.logs.meet(laptop.session.sphere('Summer'));
  await world.pass(5 * MINUTE);
  await ben.session.devices.end(lost, noSignal);
  await world.pass(3 * HOUR);
  expect(sphereAt(ana, 'Summer').endedDevices.has(lost)).toBe(true);
});

test('a computer that is on gives what it says that it has before it is ended', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  await ben.session.devices.end(lost, noSignal);
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect(textsAt(ana)).toEqual(['swallowed', 'heard']);
});

test('a stolen computer whose line has a gap that nobody can fill is ended after two days in which somebody was there', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await sayBehindGap(world, laptop);
  await laptop.stop();
  await ben.session.devices.end(lost, noSignal);
  await world.pass(2 * HOUR);
  expect(sphereAt(ana, 'Summer').endedDevices.has(lost)).toBe(false);
  world.clock.turnBack(-2 * DAY);
  await world.pass(2 * HOUR);
  expect(sphereAt(ana, 'Summer').endedDevices.has(lost)).toBe(true);
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
  await ben.session.devices.end(lost, noSignal);
  await world.pass(5 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(true);
});

test('as long as an end waits, the computer is told to be going and gets nothing from ours, whatever it asks for', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await ana.stop();
  await ben.stop();
  const answer = silence(world);
  await ben.start();
  await ben.session.devices.end(lost, noSignal);
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
  await ben.session.devices.end(lost, noSignal);
  await world.pass(30 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
});
