import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { devicesUriOf, readXmppUri } from '../../src/base/xmpp-uri.ts';
import { peopleCalls } from '../../src/engine/people-calls.ts';
import type { Omemo } from '../../src/omemo/omemo.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import { plantDevice } from './plant-device.ts';
import { CONTACT, noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const fingerprintOf = ({ identityKey }: Omemo): string => toHex(identityKey).slice(2);

/** Two who talk and meet in no sphere; each has Spherecast, and the second one a telephone with an ordinary program. */
async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  for (const [one, other] of [[ana, ben] as const, [ben, ana] as const])
    one.session.storage.contacts.put({ ...CONTACT, jid: other.jid });
  const phone = await plantDevice(world, ben.jid);
  const calls = peopleCalls({ holder: { session: ana.session }, clock: world.clock } as never);
  const computer = ben.session.omemo;
  const compare = (isSame: boolean, ...devices: readonly Omemo[]) => {
    const said = devices.map((omemo) => ({ deviceId: omemo.deviceId, fingerprint: fingerprintOf(omemo) }));
    return calls.compare({ jid: ben.jid, devices: said, isSame }, noSignal);
  };
  const list = async () => (await calls.fingerprints({ jid: ben.jid }, noSignal)).devices;
  const standings = async () =>
    Object.fromEntries((await list()).map(({ deviceId, standing }) => [deviceId, standing]));
  const newest = () => ana.session.storage.directMessages.newest(ben.jid, 1)[0];
  /** For which devices of his a line to Ben is encrypted that is said now. */
  const readers = async (): Promise<number[]> => {
    const { mail } = world.server.account(ben.jid);
    const before = mail.length;
    ana.session.directory.forget();
    ana.session.people.talk.say(ben.jid, 'between us');
    await world.until(() => newest()?.state !== 'queued');
    return mail.slice(before).flatMap(({ stanza }) => {
      const message = readOmemoMessage(stanza);
      return message === undefined || message.payload === null ? [] : message.keys.map(({ deviceId }) => deviceId);
    });
  };
  return { world, ana, ben, computer, phone, calls, compare, list, standings, readers, newest };
}

test('the devices of somebody whom one meets in no sphere have the fingerprints that their programs show', async () => {
  const { calls, ana, ben, list, computer, phone } = await two();
  const expected = [computer, phone].map((omemo) => {
    return { deviceId: omemo.deviceId, fingerprint: fingerprintOf(omemo), standing: 'open' };
  });
  expect(await list()).toEqual(expected);
  const { own, code } = await calls.fingerprints({ jid: ben.jid }, noSignal);
  const { deviceId } = ana.session.omemo;
  const here = { deviceId, fingerprint: fingerprintOf(ana.session.omemo) };
  expect(own).toMatchObject([{ ...here, isHere: true }]);
  expect(readXmppUri(code)).toMatchObject({ jid: ana.jid, devices: [here] });
});

test('until a device was compared all of them read what is said, from then on those that were found the same', async () => {
  const { world, ana, ben, computer, phone, compare, standings, readers } = await two();
  expect(await readers()).toEqual([computer.deviceId, phone.deviceId]);
  await compare(true, phone);
  expect(ana.session.people.devices.trustIn(ben.jid)).toBe('compared');
  expect(await standings()).toEqual({ [computer.deviceId]: 'open', [phone.deviceId]: 'compared' });
  expect(await readers()).toEqual([phone.deviceId]);
  await compare(true, computer);
  expect(await readers()).toEqual([computer.deviceId, phone.deviceId]);
  const planted = await plantDevice(world, ben.jid);
  expect(await readers()).toEqual([computer.deviceId, phone.deviceId]);
  await world.pass(3 * MINUTE);
  expect(ana.session.people.devices.list(ben.jid)).toMatchObject([{ deviceId: planted.deviceId, choice: 'open' }]);
  await ana.stop();
  await ana.start();
  expect(ana.session.people.devices.trustIn(ben.jid)).toBe('compared');
});

test('the devices that are still to be compared are asked about without the news of a strange device', async () => {
  const { ana, ben, computer, phone, compare, list } = await two();
  const strange: string[] = [];
  ana.session.people.devices.onStrange.on((jid) => strange.push(jid));
  await list();
  await compare(true, phone);
  expect(ana.session.people.devices.list(ben.jid)).toMatchObject([{ deviceId: computer.deviceId, choice: 'open' }]);
  expect(strange).toEqual([]);
});

test('a device whose fingerprint differs reads nothing, whatever key it shows next, until it is found the same', async () => {
  const { computer, phone, compare, standings, readers } = await two();
  await compare(false, phone);
  expect(await standings()).toEqual({ [computer.deviceId]: 'open', [phone.deviceId]: 'left-out' });
  expect(await readers()).toEqual([computer.deviceId]);
  await compare(true, phone);
  expect(await readers()).toEqual([phone.deviceId]);
  await compare(false, phone);
  expect(await standings()).toEqual({ [computer.deviceId]: 'open', [phone.deviceId]: 'left-out' });
});

test('a line that nobody compared could read leaves once its device is found the same', async () => {
  const { world, ben, computer, phone, compare, readers, newest } = await two();
  await compare(true, computer);
  world.server.account(ben.jid).deviceIds = [phone.deviceId];
  expect(await readers()).toEqual([]);
  expect(newest()).toMatchObject({ state: 'failed', failure: 'not-vouched' });
  await compare(true, phone);
  await world.until(() => newest()?.state === 'sent');
  expect(newest()?.failure).toBeNull();
});

test.each([
  ['takes its place', false],
  ['takes its place also when the program ends at once', true],
])(
  'a key that a server put in the place of theirs is found out by their code, and the true one %s',
  async (_, ends) => {
    const { world, ana, ben, computer, calls, list, readers } = await two();
    const account = world.server.account(ben.jid);
    const genuine = computer.bundle();
    account.deviceIds = [computer.deviceId];
    const other = await plantDevice(world, ben.jid);
    account.deviceIds = [computer.deviceId];
    account.bundles.set(computer.deviceId, other.bundle());
    expect(await readers()).toEqual([computer.deviceId]);
    expect((await list())[0]?.fingerprint).toBe(fingerprintOf(other));
    account.bundles.set(computer.deviceId, genuine);
    const code = devicesUriOf(ben.jid, [{ deviceId: computer.deviceId, fingerprint: fingerprintOf(computer) }]);
    const devices = readXmppUri(code)?.devices ?? [];
    await calls.compare({ jid: ben.jid, devices: [...devices], isSame: true }, noSignal);
    if (ends) await ana.stop();
    if (ends) await ana.start();
    else await world.pass(MINUTE);
    let heard = 0;
    ben.session.omemo.onRead.on(({ sender }) => (heard += Number(sender.jid === ana.jid)));
    expect(await readers()).toEqual([computer.deviceId]);
    await world.quiet();
    expect(heard).toBe(1);
  },
);

test('that somebody’s number was compared shows in the talk with them at once', async () => {
  const { world, ana, ben, calls } = await two();
  await world.sphere(ana, ben);
  const shown: string[] = [];
  ana.session.people.contacts.onChange.on((jid) => shown.push(ana.session.people.devices.trustIn(jid)));
  await calls.verify({ person: ben.session.sphere().person, jid: ben.jid, isSame: true }, noSignal);
  expect(shown.at(-1)).toBe('compared');
});

test('a device that their person has ended reads nothing more although its fingerprint was compared before', async () => {
  const { world, ana, ben, computer, phone, compare, standings, readers } = await two();
  await compare(true, computer, phone);
  await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.devices.list().length === 2);
  const lost = ben.session.identity.device.id;
  await ben.stop();
  laptop.session.devices.end(lost, true);
  await world.until(() => ana.session.sphere().state.endedDevices.has(lost));
  // Whoever has the computer has the password as well.
  world.server.account(ben.jid).deviceIds = [computer.deviceId, phone.deviceId];
  expect(await readers()).toEqual([phone.deviceId]);
  expect(await standings()).toMatchObject({ [computer.deviceId]: 'open', [phone.deviceId]: 'compared' });
});

test('a device said to differ reads nothing more although the number of its person was compared in a sphere of before', async () => {
  const { world, ana, ben, computer, calls, compare, standings, readers } = await two();
  const { id } = await world.sphere(ana, ben);
  await calls.verify({ person: ben.session.sphere().person, jid: ben.jid, isSame: true }, noSignal);
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  expect(await readers()).toContain(computer.deviceId);
  await compare(false, computer);
  expect(await readers()).not.toContain(computer.deviceId);
  expect(await standings()).toMatchObject({ [computer.deviceId]: 'left-out' });
  const known = ana.session.people.devices.list(ben.jid).find(({ deviceId }) => deviceId === computer.deviceId);
  expect(known).toMatchObject({ choice: 'left-out' });
  await compare(true, computer);
  expect(await readers()).toContain(computer.deviceId);
});

test('whoever takes back the only device that they compared is asked about each device, and a new one reads nothing', async () => {
  const { world, ana, ben, computer, phone, calls, compare, readers, newest } = await two();
  await compare(true, phone);
  await compare(false, phone);
  expect(ana.session.people.devices.trustIn(ben.jid)).toBe('asked');
  const planted = await plantDevice(world, ben.jid);
  expect(await readers()).toEqual([]);
  expect(newest()).toMatchObject({ state: 'failed', failure: 'not-vouched' });
  const asked = ana.session.people.devices.list(ben.jid).map(({ deviceId, choice }) => [deviceId, choice]);
  expect(asked).toContainEqual([planted.deviceId, 'open']);
  await calls.chooseDevice({ jid: ben.jid, deviceId: computer.deviceId, choice: 'let-in' }, noSignal);
  // What did not leave leaves now.
  await world.until(() => newest()?.state === 'sent');
  await ana.stop();
  await ana.start();
  expect(ana.session.people.devices.trustIn(ben.jid)).toBe('asked');
  expect(await readers()).toEqual([computer.deviceId]);
});

test('whoever takes back a number that they compared is asked about each device, on their other computer too', async () => {
  const { world, ana, ben, calls, readers } = await two();
  await world.sphere(ana, ben);
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length === 1);
  const person = ben.session.sphere().person;
  await calls.verify({ person, jid: ben.jid, isSame: true }, noSignal);
  await world.until(() => laptop.session.people.devices.trustIn(ben.jid) === 'compared');
  await calls.verify({ person, jid: ben.jid, isSame: false }, noSignal);
  await world.until(() => laptop.session.people.devices.trustIn(ben.jid) !== 'compared');
  for (const { session } of [ana, laptop]) expect(session.people.devices.trustIn(ben.jid)).toBe('asked');
  await plantDevice(world, ben.jid);
  expect(await readers()).toEqual([]);
});

test('whoever took a number back is asked about each device also on a computer that hears of both words at once', async () => {
  const { world, ana, ben, calls } = await two();
  await world.sphere(ana, ben);
  const person = ben.session.sphere().person;
  for (const isSame of [true, false]) await calls.verify({ person, jid: ben.jid, isSame }, noSignal);
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length === 1);
  await world.quiet();
  expect(laptop.session.people.devices.trustIn(ben.jid)).toBe('asked');
});

test('of somebody of whom nothing was ever compared all devices but those that differ read what is said', async () => {
  const { world, ana, ben, computer, phone, compare, readers } = await two();
  await compare(false, phone);
  expect(ana.session.people.devices.trustIn(ben.jid)).toBe('blind');
  const other = await plantDevice(world, ben.jid);
  expect(await readers()).toEqual([computer.deviceId, other.deviceId]);
});
