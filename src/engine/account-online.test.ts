import { expect, test, vi } from 'vitest';
import { signIn, slow } from '../../test/fixtures/account-signing-in.ts';
import type { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { MemoryOmemoStore } from '../omemo/memory-store.ts';
import { Omemo } from '../omemo/omemo.ts';
import type { Element } from '../xmpp/element.ts';
import { xml } from '../xmpp/element.ts';
import { capsVersion, readCapsTag } from '../xmpp/xep/0115-caps.ts';
import { fetchBundle } from '../xmpp/xep/0384-omemo.ts';
import { ABILITIES, FIRST_ABILITIES } from './abilities.ts';
import { openDirectory } from './open-directory.ts';

const noSignal = new AbortController().signal;
const lost = new AppError('disconnected', 'cut');

const NS_EVENT = 'http://jabber.org/protocol/pubsub#event';
const NS_OMEMO = 'eu.siacs.conversations.axolotl';

function newList(from: string, deviceId: number): Element {
  const list = xml('list', { xmlns: NS_OMEMO }, xml('device', { id: String(deviceId) }));
  const items = xml('items', { node: `${NS_OMEMO}.devicelist` }, xml('item', { id: 'current' }, list));
  return xml('message', { from }, xml('event', { xmlns: NS_EVENT }, items));
}

test('one slow answer of the server does not fail the sign-in', async () => {
  const { clock, server, ready } = signIn({ error: slow, times: 1 });
  await clock.advance(5_000);
  await ready;
  expect(server.features).toMatchObject({ muc: 'rooms.a.test', pep: true });
});

test('a server where a room is to be removed, and that does not answer, keeps nobody from signing in', async () => {
  const { clock, server, ready } = signIn({ error: slow, times: 0 }, (signal) => new VirtualClock().sleep(1, signal));
  await clock.advance(5_000);
  await ready;
  expect(server.features).not.toBeNull();
});

test('a connection that is lost while the first session is set up is no failure either', async () => {
  const { clock, client, server, ready } = signIn({ error: lost, times: 2 });
  client.setState({ kind: 'offline', error: lost });
  await clock.advance(60_000);
  client.setState({ kind: 'online', resumed: false });
  await ready;
  expect(server.features).not.toBeNull();
});

test('a session that breaks while it is set up, and that the server resumes, is set up all the same', async () => {
  const { clock, client, server, ready, keys } = signIn({ error: lost, times: 1 });
  client.setState({ kind: 'offline', error: lost });
  await clock.advance(60_000);
  expect(server.features).toBeNull();
  client.setState({ kind: 'online', resumed: true });
  await ready;
  expect(keys.published).toBe(1);
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(60_000);
  expect(keys.published).toBe(1);
});

test('a server that never answers ends the sign-in with its reason', async () => {
  const { clock, ready } = signIn({ error: slow, times: Infinity });
  await clock.advance(4_000);
  for (let attempt = 0; attempt < 3; attempt += 1) await clock.advance(5_000);
  await expect(ready).rejects.toMatchObject({ code: 'timed-out' });
});

test('a server that goes on failing is asked less and less', async () => {
  const { clock, asked } = signIn({ error: slow, times: Infinity });
  await clock.advance(3_600_000);
  expect(asked()).toBeGreaterThan(5);
  // Three questions each time.
  expect(asked()).toBeLessThan(90);
});

test('an archive that always fails does not fail the sign-in, and is asked again less and less', async () => {
  const { clock, ready, archive } = signIn({ error: slow, times: 0 });
  archive.fails = true;
  await clock.advance(1_000);
  await ready;
  await clock.advance(3_600_000);
  expect(archive.read).toBeGreaterThan(5);
  expect(archive.read).toBeLessThan(60);
  archive.fails = false;
  await clock.advance(300_000);
  const read = archive.read;
  await clock.advance(3_600_000);
  expect(archive.read).toBe(read);
});

test('what the disk could not take while it was full is read from the archive in the same session', async () => {
  const { clock, ready, archive, onMissed } = signIn({ error: slow, times: 0 });
  await ready;
  archive.fails = true;
  for (let message = 0; message < 9; message += 1) onMissed.emit();
  await clock.advance(60_000);
  expect(archive.read).toBeGreaterThan(1);
  expect(archive.read).toBeLessThan(9);
  archive.fails = false;
  await clock.advance(300_000);
  const { read } = archive;
  await clock.advance(3_600_000);
  expect(archive.read).toBe(read);
});

test('an own device list that cannot be read keeps no mail unread and nothing else undone, and it alone is tried again', async () => {
  const { clock, ready, client, keys, archive, poked, asked } = signIn({ error: slow, times: 0 });
  keys.fails = true;
  await clock.advance(1_000);
  const questions = asked();
  expect([archive.read, poked()]).toEqual([1, 1]);
  await clock.advance(20_000);
  await expect(ready).rejects.toMatchObject({ code: 'timed-out' });
  await clock.advance(3_600_000);
  expect([archive.read, poked(), asked()]).toEqual([1, 1, questions]);
  // A resumed session goes on as one that is set up.
  client.setState({ kind: 'offline', error: lost });
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(1_000);
  expect([archive.read, poked(), asked()]).toEqual([2, 2, questions]);
  keys.fails = false;
  await clock.advance(300_000);
  expect(keys.published).toBe(1);
  await clock.advance(3_600_000);
  expect(keys.published).toBe(1);
});

test('a first sign-in waits until others can find the device', async () => {
  const { clock, ready, keys } = signIn({ error: slow, times: 0 });
  keys.fails = true;
  await clock.advance(1_000);
  keys.fails = false;
  await clock.advance(10_000);
  await ready;
  expect(keys.published).toBe(1);
});

test('a server that cannot carry spheres says so at once, and a password that was changed too', async () => {
  const lacking = new AppError('server-lacks-pep', 'no personal eventing');
  const { clock: passing, ready: first, server } = signIn({ error: lacking, times: 1 });
  await expect(first).rejects.toMatchObject({ code: 'server-lacks-pep' });
  // One that is just starting seems to lack what it has in a moment.
  await passing.advance(10_000);
  expect(server.features).not.toBeNull();
  const { client, ready } = signIn({ error: slow, times: Infinity });
  client.setState({ kind: 'failed', error: new AppError('wrong-password', 'refused') });
  await expect(ready).rejects.toMatchObject({ code: 'wrong-password' });
});

test('an archive that uses up many prekeys has the bundle published once for all of them', async () => {
  const { clock, ready, keys, usePreKey } = signIn({ error: slow, times: 0 });
  await ready;
  const before = keys.published;
  for (let message = 0; message < 50; message += 1) {
    usePreKey();
    await clock.advance(20);
  }
  await clock.advance(10_000);
  expect(keys.published).toBe(before + 1);
  usePreKey();
  await clock.advance(10_000);
  expect(keys.published).toBe(before + 2);
});

test('what was read at sign-in and used up prekeys has the bundle published once, not twice', async () => {
  const { ready, keys } = signIn({ error: slow, times: 0 });
  keys.used = true;
  await ready;
  expect([keys.published, keys.used]).toEqual([1, false]);
});

test('the server is asked what it can do while it is still asked for copies of the profile', async () => {
  const settled = Promise.withResolvers<void>();
  const { ready, asked } = signIn({ error: slow, times: 0 }, undefined, { settled: settled.promise });
  await vi.waitFor(() => expect(asked()).toBe(4));
  settled.resolve();
  await ready;
  expect(asked()).toBe(4);
});

test('a bundle that could not be published is with the next prekey that is used', async () => {
  const { clock, ready, keys, usePreKey } = signIn({ error: slow, times: 0 });
  await ready;
  const before = keys.published;
  keys.fails = true;
  usePreKey();
  await clock.advance(10_000);
  expect(keys.published).toBe(before);
  keys.fails = false;
  usePreKey();
  keys.used = false;
  await clock.advance(10_000);
  expect(keys.published).toBe(before + 1);
});

test('a device that another client took off the list puts itself back, also when the server fails at first', async () => {
  const { clock, client, ready, keys } = signIn({ error: slow, times: 0 });
  await ready;
  const before = keys.published;
  keys.fails = true;
  client.onStanza.emit(newList(client.jid, 77));
  await clock.advance(10_000);
  expect(keys.published).toBe(before);
  keys.fails = false;
  await clock.advance(20_000);
  expect(keys.published).toBe(before + 1);
  client.onStanza.emit(newList(client.jid, 1));
  await clock.advance(3_600_000);
  expect(keys.published).toBe(before + 1);
});

test('a copy of a profile that is in use says nothing in its name, and hears of it once', async () => {
  const { clock, client, online, run, keys, ready } = signIn({ error: slow, times: 0 });
  await ready;
  const before = keys.published;
  let told = 0;
  online.onCopied.on(() => void (told += 1));
  run.isOnly = false;
  for (const resumed of [false, true, false]) {
    client.setState({ kind: 'online', resumed });
    await clock.advance(1_000);
  }
  expect([told, online.isCopied, keys.published]).toEqual([1, true, before]);
});

test('a computer that is left on finds a copy that was started meanwhile', async () => {
  const { clock, online, run, ready } = signIn({ error: slow, times: 0 });
  await ready;
  run.isOnly = false;
  await clock.advance(6 * 3_600_000);
  expect(online.isCopied).toBe(true);
});

test('all that lies at an account is read before it is left, also when its session has just begun', async () => {
  const { clock, online, archive } = signIn({ error: slow, times: 1 });
  const read = online.readMail(noSignal);
  await clock.advance(6_000);
  await read;
  expect(archive.read).toBe(2);
  await online.retire(noSignal);
  expect(archive.read).toBe(3);
});

test('an account whose archive cannot be read is not left, and this device is listed there as before', async () => {
  const { online, archive, ready, keys } = signIn({ error: slow, times: 0 });
  await ready;
  archive.fails = true;
  await expect(online.retire(noSignal)).rejects.toBe(slow);
  await Promise.resolve();
  expect(keys.published).toBe(2);
});

test('a device that has left an account is not listed there again because its keys are cared for', async () => {
  const { clock, online, ready, keys, usePreKey } = signIn({ error: slow, times: 0 });
  await ready;
  usePreKey();
  await online.retire(noSignal);
  const before = keys.published;
  await clock.advance(10_000);
  expect(keys.published).toBe(before);
});

test('an account that is not reached is not left unread', async () => {
  const { clock, client, online, ready } = signIn({ error: slow, times: 0 });
  await ready;
  client.setState({ kind: 'offline', error: lost });
  const read = online.readMail(noSignal).catch((error: unknown) => error);
  await clock.advance(60_000);
  expect(await read).toMatchObject({ code: 'disconnected' });
});

/** A first session, and which abilities were told in it. */
function listening() {
  const account = signIn({ error: slow, times: 0 });
  const late = capsVersion(ABILITIES);
  const announced = (): string[] =>
    account.client.sent.flatMap((stanza) => readCapsTag(stanza) ?? []).map(({ ver }) => (ver === late ? 'late' : ver));
  return { ...account, announced };
}

test('names and pictures of contacts are asked for as soon as all that was missed in rooms is here', async () => {
  const { clock, ready, room, announced, pictures } = listening();
  const first = capsVersion(FIRST_ABILITIES);
  room.isRead = false;
  await ready;
  await clock.advance(10_000);
  expect([announced(), pictures()]).toEqual([[first], 0]);
  room.isRead = true;
  await clock.advance(1_000);
  expect([announced(), pictures()]).toEqual([[first, 'late'], 1]);
});

test('names and pictures of contacts are asked for when all else is here, once in each session', async () => {
  const { clock, client, ready, room, announced, pictures } = listening();
  const first = capsVersion(FIRST_ABILITIES);
  // An archive that cannot be read is waited for so long.
  room.isRead = false;
  await ready;
  await clock.advance(15_000);
  expect([announced(), pictures()]).toEqual([[first], 0]);
  client.setState({ kind: 'offline', error: lost });
  await clock.advance(10_000);
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(60_000);
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(60_000);
  expect([announced(), pictures()]).toEqual([[first, 'late'], 1]);
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(60_000);
  expect([announced(), pictures()]).toEqual([[first, 'late', first, 'late'], 2]);
  expect(FIRST_ABILITIES.features.filter((feature) => feature.endsWith('+notify'))).toHaveLength(1);
});

test('a device that is left on for a week has a new signed prekey in the bundle that others find', async () => {
  using folder = new StorageFolder();
  using storage = folder.open();
  const clock = new VirtualClock();
  const at = { clock, random: systemRandom, log: silentLogger };
  const omemo = await Omemo.open({ ...at, store: new MemoryOmemoStore(), own: parseBareJid('ana@a.test') });
  const keysAt = (port: FakeXmppPort) => ({
    omemo,
    directory: openDirectory({ ...at, client: port as never, storage, isGone: () => false }),
  });
  const { client, ready } = signIn({ error: slow, times: 0 }, undefined, { clock, keysAt });
  await ready;
  const found = () => fetchBundle(client, client.jid, omemo.deviceId);
  const first = await found();
  await clock.advance(6 * 24 * 3_600_000);
  expect(await found()).toEqual(first);
  await clock.advance(2 * 24 * 3_600_000);
  const renewed = await found();
  expect(renewed.signedPreKey.id).not.toBe(first.signedPreKey.id);
  expect(renewed.signedPreKey).toEqual(omemo.bundle().signedPreKey);
  expect(renewed.identityKey).toEqual(first.identityKey);
});
