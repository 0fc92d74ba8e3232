import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { peopleCalls } from '../../src/engine/people-calls.ts';
import type { Omemo } from '../../src/omemo/omemo.ts';
import type { Hello } from '../../src/spheres/protocol/hello.ts';
import type { ComparedWord } from '../../src/spheres/protocol/own-words.ts';
import { buildComparedWord } from '../../src/spheres/protocol/own-words.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import { plantDevice } from './plant-device.ts';
import type { SimPerson } from './sim-world.ts';
import { CONTACT, noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const FAR_AHEAD_MS = 2 ** 52;
const fingerprintOf = ({ identityKey }: Omemo): string => toHex(identityKey).slice(2);

/** Ana has two computers, and talks with Ben, whom she meets in no sphere, and who has a telephone with another program, too. */
async function computers({ isKnown = true } = {}) {
  const world = new SimWorld();
  const [desk, ben] = [await world.person('ana'), await world.person('ben')];
  const laptop = await world.another(desk);
  for (const { session } of [desk, laptop]) session.storage.contacts.put({ ...CONTACT, jid: ben.jid });
  await world.until(() => [desk, laptop].every(({ session }) => session.devices.list().length === 2));
  if (isKnown) confirm(desk);
  await world.quiet();
  const phone = await plantDevice(world, ben.jid);
  const computer = ben.session.omemo;
  const compare = async (at: SimPerson, isSame: boolean, ...devices: readonly Omemo[]): Promise<void> => {
    const calls = peopleCalls({ holder: { session: at.session }, clock: world.clock } as never);
    const said = devices.map((omemo) => ({ deviceId: omemo.deviceId, fingerprint: fingerprintOf(omemo) }));
    await calls.compare({ jid: ben.jid, devices: said, isSame }, noSignal);
    await world.quiet();
  };
  const trust = (at: SimPerson) => at.session.people.devices.trustIn(ben.jid);
  /** Which of his devices may read what is said at this computer. */
  const readers = (at: SimPerson): Omemo[] => {
    const { trusts } = at.session.people.devices.readersWith(ben.jid);
    const isRead = ({ deviceId, identityKey }: Omemo): boolean =>
      trusts({ jid: ben.jid, deviceId }, identityKey, 'new');
    return [computer, phone].filter(isRead);
  };
  /** What was found of a device of his; of itself the same, by a clock far ahead. */
  const word = ({ deviceId, identityKey }: Omemo, isSame = true, atMs: number = FAR_AHEAD_MS): ComparedWord => {
    const device = { deviceId, identityKey: toHex(identityKey), isSame, atMs };
    return { jid: ben.jid, isAsked: false, devices: [device] };
  };
  return { world, desk, laptop, ben, phone, computer, compare, trust, readers, word };
}

/** How a computer makes itself known. */
function helloOf({ session }: SimPerson): Hello {
  const { person, device } = session.identity.author;
  const { jid, omemoDeviceId, omemoIdentityKey } = session.storage.ownDevices.get(device.id) ?? {};
  if (jid === undefined || omemoDeviceId === undefined || omemoIdentityKey === undefined) throw new Error('not listed');
  return { person, device: device.id, jid, omemoDeviceId, omemoIdentityKey, name: null, rest: [] };
}

/** The person says at this computer that the other one is theirs. */
function confirm({ session }: SimPerson): void {
  for (const { device, state } of session.devices.list()) if (state === 'new') session.devices.confirm(device);
}

test('devices that were compared at one computer are compared at the other', async () => {
  const { desk, laptop, phone, compare, trust, readers } = await computers();
  await compare(laptop, true, phone);
  expect([trust(laptop), trust(desk)]).toEqual(['compared', 'compared']);
  expect(readers(desk)).toEqual([phone]);
  await compare(desk, false, phone);
  expect([trust(laptop), trust(desk)]).toEqual(['asked', 'asked']);
  expect(readers(laptop)).toEqual([]);
});

test('a computer that comes later learns what was compared before', async () => {
  const { world, desk, phone, compare, trust, readers } = await computers();
  await compare(desk, true, phone);
  const tablet = await world.another(desk);
  await world.until(() => trust(tablet) === 'compared');
  expect(readers(tablet)).toEqual([phone]);
});

test('what a computer says counts once the person has said that it is theirs, also what it said before', async () => {
  const { world, desk, laptop, phone, compare, trust } = await computers({ isKnown: false });
  await compare(laptop, true, phone);
  await world.pass(MINUTE);
  expect(trust(desk)).toBe('blind');
  confirm(desk);
  await world.until(() => trust(desk) === 'compared');
  expect(trust(desk)).toBe('compared');
});

test('a device that the person left out at one computer stays out there when another finds it the same', async () => {
  const { desk, laptop, phone, computer, compare, readers } = await computers();
  await compare(desk, false, phone);
  await compare(laptop, true, phone, computer);
  expect(readers(laptop)).toEqual([computer, phone]);
  expect(readers(desk)).toEqual([computer]);
});

test('what was left out by mistake at one computer is put right for the other there, too', async () => {
  const { desk, laptop, phone, compare, readers } = await computers();
  await compare(laptop, true, phone);
  await compare(laptop, false, phone);
  expect(readers(desk)).toEqual([]);
  await compare(laptop, true, phone);
  expect(readers(desk)).toEqual([phone]);
});

test('a device that was let in by hand stays in when the word that it differs comes once more', async () => {
  const { desk, laptop, ben, phone, compare, readers } = await computers();
  const calls = peopleCalls({ holder: { session: desk.session }, clock: undefined } as never);
  await compare(laptop, true, phone);
  await compare(laptop, false, phone);
  await calls.chooseDevice({ jid: ben.jid, deviceId: phone.deviceId, choice: 'let-in' }, noSignal);
  const [before] = laptop.session.people.fingerprints.words();
  if (before === undefined) throw new Error('nothing was said');
  desk.session.people.hear(before);
  expect(readers(desk)).toEqual([phone]);
});

test('a device that was let in by hand stays in when what was found of it before, elsewhere, comes late', async () => {
  const { world, desk, ben, phone, computer, compare, readers, word } = await computers();
  const calls = peopleCalls({ holder: { session: desk.session }, clock: world.clock } as never);
  await desk.session.people.fingerprints.list(ben.jid, noSignal);
  await compare(desk, true, computer);
  const beforeMs = world.clock.now();
  await world.pass(MINUTE);
  await calls.chooseDevice({ jid: ben.jid, deviceId: phone.deviceId, choice: 'let-in' }, noSignal);
  desk.session.people.hear(word(phone, false, beforeMs));
  expect(readers(desk)).toEqual([computer, phone]);
  // Also when it is found the same in between, which says nothing new.
  desk.session.people.hear(word(phone, true, beforeMs - 1));
  desk.session.people.hear(word(phone, false, beforeMs));
  expect(readers(desk)).toEqual([computer, phone]);
  await world.pass(MINUTE);
  desk.session.people.hear(word(phone, false, world.clock.now()));
  expect(readers(desk)).toEqual([computer]);
});

test('what a clock far ahead says counts as said when it was first heard of, and overrules no later word', async () => {
  const { world, desk, laptop, ben, phone, computer, compare, readers, word } = await computers();
  const calls = peopleCalls({ holder: { session: desk.session }, clock: world.clock } as never);
  await desk.session.people.fingerprints.list(ben.jid, noSignal);
  await compare(desk, true, computer);
  const forged = word(phone, false);
  desk.session.people.hear(forged);
  expect(readers(desk)).toEqual([computer]);
  await world.pass(MINUTE);
  await calls.chooseDevice({ jid: ben.jid, deviceId: phone.deviceId, choice: 'let-in' }, noSignal);
  desk.session.people.hear(forged);
  expect(readers(desk)).toEqual([computer, phone]);
  // Passed on to a computer that has not heard of it, it changes nothing behind a later word there.
  const passedOn = desk.session.people.fingerprints.words();
  await world.pass(MINUTE);
  await compare(laptop, true, phone);
  for (const told of passedOn) laptop.session.people.hear(told);
  desk.session.people.hear(forged);
  expect([readers(desk), readers(laptop)]).toEqual([
    [computer, phone],
    [computer, phone],
  ]);
  // Nor does it say that one is the same that was found to differ.
  await compare(desk, false, phone);
  for (const { session } of [desk, laptop]) session.people.hear(word(phone, true));
  expect([readers(desk), readers(laptop)]).toEqual([[computer], [computer]]);
});

test('an earlier word changes nothing behind a later one, whichever computer says it again', async () => {
  const { desk, laptop, phone, compare, trust, readers } = await computers();
  await compare(laptop, true, phone);
  const [earlier] = laptop.session.people.fingerprints.words();
  await compare(laptop, false, phone);
  const [later] = laptop.session.people.fingerprints.words();
  if (earlier === undefined || later === undefined) throw new Error('nothing was said');
  const heard: string[] = [];
  desk.session.people.devices.onChange.on((jid) => heard.push(jid));
  for (const word of [earlier, later, earlier]) desk.session.people.hear(word);
  expect([trust(desk), readers(desk), heard]).toEqual(['asked', [], []]);
});

test('a computer whose clock is behind has the last word all the same when it speaks last', async () => {
  const { world, desk, laptop, phone, compare, trust } = await computers();
  const { clock } = world;
  await compare(desk, true, phone);
  const now = clock.now.bind(clock);
  clock.now = () => now() - 86_400_000;
  await compare(laptop, false, phone);
  clock.now = now;
  expect([trust(laptop), trust(desk)]).toEqual(['asked', 'asked']);
});

test('what a computer says that was taken away changes nothing, and it is told nothing', async () => {
  const { desk, laptop, phone, computer, compare, trust, readers, word } = await computers();
  await compare(desk, true, phone);
  const hello = helloOf(laptop);
  desk.session.devices.end(hello.device, true);
  const { author } = laptop.session.identity;
  desk.session.ownWords.heard({ ...hello, rest: [buildComparedWord(author, word(computer), 0)] });
  expect(readers(desk)).toEqual([phone]);
  await compare(desk, false, phone);
  expect(trust(laptop)).toBe('compared');
});

test('a computer that makes itself known over and over in one evening is told six times, and then once an hour', async () => {
  const { world, desk, laptop, phone, compare } = await computers();
  await compare(desk, true, phone);
  const hello = helloOf(laptop);
  desk.session.link.goOffline();
  const { outbox } = desk.session.storage;
  const tellings = (times: number): number => {
    const before = outbox.list('queued').length;
    for (let time = 0; time < times; time += 1) desk.session.ownWords.heard(hello);
    return outbox.list('queued').length - before;
  };
  // What the two told each other when they met counts as well.
  await world.clock.advance(6 * 60 * MINUTE);
  expect(tellings(9)).toBe(6);
  await world.clock.advance(60 * MINUTE);
  expect(tellings(9)).toBe(1);
});

test('what was to be told to a computer that was taken away meanwhile is not sent to it', async () => {
  const { world, desk, laptop, phone, compare, trust } = await computers();
  desk.session.link.goOffline();
  await compare(desk, true, phone);
  desk.session.devices.end(helloOf(laptop).device, true);
  const { mail } = world.server.account(desk.jid);
  const before = mail.length;
  await desk.session.goOnline();
  await world.pass(MINUTE);
  const sealedFor = mail.slice(before).flatMap(({ stanza }) => readOmemoMessage(stanza)?.keys ?? []);
  expect(sealedFor.map(({ deviceId }) => deviceId)).not.toContain(laptop.session.omemo.deviceId);
  expect([trust(desk), trust(laptop), desk.session.storage.outbox.list('queued')]).toEqual(['compared', 'blind', []]);
});

test('devices that the person key does not certify are told nothing, and what they say changes nothing', async () => {
  const { world, desk, laptop, ben, phone, computer, compare, readers, word } = await computers();
  const planted = await plantDevice(world, desk.jid);
  const { mail } = world.server.account(desk.jid);
  const before = mail.length;
  await compare(desk, true, phone);
  const sealedFor = mail.slice(before).flatMap(({ stanza }) => readOmemoMessage(stanza)?.keys ?? []);
  expect(sealedFor.map(({ deviceId }) => deviceId)).toContain(laptop.session.omemo.deviceId);
  expect(sealedFor.map(({ deviceId }) => deviceId)).not.toContain(planted.deviceId);
  const { author: stranger } = ben.session.identity;
  const rest = [buildComparedWord(stranger, word(computer), 0)];
  // Behind the introduction of a computer of hers, and behind his own.
  desk.session.ownWords.heard({ ...helloOf(laptop), rest });
  desk.session.ownWords.heard({ ...helloOf(laptop), person: stranger.person, device: stranger.device.id, rest });
  expect(readers(desk)).toEqual([phone]);
});
