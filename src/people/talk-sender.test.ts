import { expect, onTestFinished, test } from 'vitest';
import { OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import { openReaders } from '../../test/fixtures/talk-readers.ts';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid, parsePersonId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { Omemo } from '../omemo/omemo.ts';
import type { OmemoBundle } from '../omemo/types.ts';
import { attr } from '../xmpp/element.ts';
import { Contacts } from './contacts.ts';
import { Talk } from './talk.ts';
import type { DeviceFinder } from './talk-devices.ts';
import { TalkSender } from './talk-sender.ts';

/** Ana, who writes to Ben; his program is there, and what she sends is in `client.sent`. */
async function setUp() {
  const folder = new StorageFolder();
  const storage = folder.open();
  const client = new RosterPort();
  const clock = new VirtualClock();
  const machine = { clock, random: systemRandom, log: silentLogger };
  const others = new OmemoDevices();
  const ben = await others.add('ben@b.test');
  const omemo = await Omemo.open({ ...machine, store: storage.omemo, own: client.jid });
  const contacts = new Contacts({ ...machine, client, storage, sharesSphere: () => false, spawn: () => undefined });
  const talk = new Talk({
    ...machine,
    storage,
    contacts,
    own: client.jid,
    person: parsePersonId('a'.repeat(64)),
    personBehind: () => null,
    onError: (error) => expect.fail(`${error}`),
  });
  const deviceIds = (jid: string): Promise<number[]> => Promise.resolve(jid === ben.jid ? [ben.address.deviceId] : []);
  const devices: DeviceFinder = {
    deviceIds,
    askDeviceIds: deviceIds,
    bundle: () => Promise.resolve(ben.omemo.bundle()),
    trouble: () => null,
    onListed: new Emitter((error) => expect.fail(`${error}`)),
  };
  const { encryption } = openReaders({ storage, omemo, own: client.jid, devices, clock });
  const sender = new TalkSender({ ...machine, client, storage, talk, encryption, isMailRead: () => true });
  const stop = new AbortController();
  const running = sender.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const sentIds = (): string[] => client.sent.map((stanza) => attr(stanza, 'id') ?? '');
  return { clock, client, storage, talk, sender, devices, ben, sentIds };
}

test('a line leaves encrypted, and is told to be sent', async () => {
  const { talk, client, storage, ben } = await setUp();
  const { id } = talk.say(ben.jid, 'hello');
  await expect.poll(() => storage.directMessages.get(id)?.state).toBe('sent');
  expect(client.sent).toHaveLength(1);
  expect(client.sent.join('')).not.toContain('hello');
});

test('a line that their server sends back is shown as failed, whoever else claims it is not', async () => {
  const { talk, storage, ben } = await setUp();
  const { id } = talk.say(ben.jid, 'hello');
  const state = (): string | undefined => storage.directMessages.get(id)?.state;
  await expect.poll(state).toBe('sent');
  talk.bounced(parseBareJid('eve@evil.test'), id);
  talk.bounced(ben.jid, 'another');
  expect(state()).toBe('sent');
  talk.bounced(ben.jid, id);
  expect(storage.directMessages.get(id)).toMatchObject({ state: 'failed', failure: 'server-unreachable' });
});

test('a line that came back and is tried again is not taken for sent because the archive has its first attempt', async () => {
  const { clock, talk, storage, sender, devices, ben, sentIds } = await setUp();
  const { id } = talk.say(ben.jid, 'hello');
  const state = (): string | undefined => storage.directMessages.get(id)?.state;
  await expect.poll(state).toBe('sent');
  talk.bounced(ben.jid, id);
  const { askDeviceIds } = devices;
  const asked = Promise.withResolvers<void>();
  devices.askDeviceIds = () => {
    asked.resolve();
    return Promise.reject(new AppError('disconnected', 'gone'));
  };
  talk.retry(id);
  await asked.promise;
  await clock.advance(0);
  sender.arrived(id);
  // It may come back once for each of their devices.
  talk.bounced(ben.jid, id);
  expect(state()).toBe('queued');
  devices.askDeviceIds = askDeviceIds;
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return state();
    })
    .toBe('sent');
  const [first, second] = sentIds();
  expect([first, first !== second]).toEqual([id, true]);
  talk.bounced(ben.jid, first ?? '');
  expect(state()).toBe('sent');
  talk.bounced(ben.jid, second ?? '');
  expect(state()).toBe('failed');
});

test('people whose servers do not answer hold up no line to anybody else', async () => {
  const { talk, storage, devices, ben } = await setUp();
  const { askDeviceIds } = devices;
  const silent = ['eve@silent.test', 'gil@silent.test'].map(parseBareJid);
  const given = Promise.withResolvers<number[]>();
  devices.askDeviceIds = (jid) => (silent.includes(jid) ? given.promise : askDeviceIds(jid));
  for (const jid of silent) talk.say(jid, 'are you there?');
  const first = talk.say(ben.jid, 'hello');
  await expect.poll(() => storage.directMessages.get(first.id)?.state).toBe('sent');
  const second = talk.say(ben.jid, 'and again');
  await expect.poll(() => storage.directMessages.get(second.id)?.state).toBe('sent');
  given.resolve([]);
});

test('lines wait for the connection and leave in their order, each once', async () => {
  const { clock, talk, client, storage, ben, sentIds } = await setUp();
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  const ids = ['a', 'b', 'c'].map((text) => talk.say(ben.jid, text).id);
  await clock.advance(0);
  expect(client.sent).toEqual([]);
  client.setState({ kind: 'online', resumed: false });
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return storage.directMessages.queued();
    })
    .toEqual([]);
  expect(sentIds()).toEqual(ids);
});

test('a connection that breaks while the keys of a new contact are fetched fails no line, and none overtakes it', async () => {
  const { clock, talk, client, storage, devices, ben, sentIds } = await setUp();
  const bundle = (): Promise<OmemoBundle> => Promise.resolve(ben.omemo.bundle());
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  const errors = [new AppError('disconnected', 'gone'), new AppError('timed-out', 'no answer in time')];
  devices.bundle = () => {
    const error = errors.shift();
    return error === undefined ? bundle() : Promise.reject(error);
  };
  const ids = ['a', 'b'].map((text) => talk.say(ben.jid, text).id);
  client.setState({ kind: 'online', resumed: false });
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return storage.directMessages.queued();
    })
    .toEqual([]);
  expect(sentIds()).toEqual(ids);
});

test('a contact whose devices have no keys is told at once', async () => {
  const { talk, storage, devices, ben } = await setUp();
  devices.bundle = () => Promise.reject(new AppError('not-found', 'no bundle'));
  const { id } = talk.say(ben.jid, 'a');
  await expect.poll(() => storage.directMessages.get(id)?.failure).toBe('cannot-encrypt');
});

test('a disk that cannot note that a line has left makes no failed line of it and does not end the sending', async () => {
  const { clock, talk, storage, ben, sentIds } = await setUp();
  const { directMessages } = storage;
  const update = directMessages.update.bind(directMessages);
  directMessages.update = () => {
    throw new AppError('disk-full', 'no room for the note');
  };
  const first = talk.say(ben.jid, 'first');
  await expect.poll(sentIds).toContain(first.id);
  expect(directMessages.get(first.id)?.state).toBe('queued');
  directMessages.update = update;
  const second = talk.say(ben.jid, 'second');
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return [first, second].map(({ id }) => directMessages.get(id)?.state);
    })
    .toEqual(['sent', 'sent']);
  // Under the same id, so that whoever has it already knows it.
  expect(new Set(sentIds())).toEqual(new Set([first.id, second.id]));
});

test('an edit, signs and a retraction leave after their line, each once, and say nothing in the clear', async () => {
  const { clock, talk, client, storage, ben } = await setUp();
  const { id } = talk.say(ben.jid, 'helo cake');
  const heard = async (count: number): Promise<string[]> => {
    await expect.poll(() => client.sent.length).toBe(count);
    await clock.advance(100);
    return client.sent.map((stanza) => stanza.toString());
  };
  expect((await heard(1))[0]).toContain('<request xmlns="urn:xmpp:receipts"/>');
  talk.edit(id, 'hello cake');
  expect((await heard(2))[1]).toContain(`<replace xmlns="urn:xmpp:message-correct:0" id="${id}"/>`);
  talk.react(id, ['🎉']);
  expect((await heard(3))[2]).toContain('<signs xmlns="urn:spherecast:signs:0"/>');
  talk.retract(id);
  expect((await heard(4))[3]).toContain(`<retract xmlns="urn:xmpp:message-retract:1" id="${id}"/>`);
  expect(client.sent.join('')).not.toMatch(/cake|🎉|urn:xmpp:reactions/);
  await expect.poll(() => storage.talkWords.list()).toEqual([]);
});

test('a line that is taken back before it left says nothing to anybody', async () => {
  const { clock, talk, client, storage, ben } = await setUp();
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  const { id } = talk.say(ben.jid, 'hello');
  talk.retract(id);
  client.setState({ kind: 'online', resumed: false });
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return [storage.directMessages.get(id), storage.talkWords.list().length];
    })
    .toEqual([undefined, 0]);
  expect(client.sent).toEqual([]);
});

test('of a line that was changed and signed, and then taken back, only that it was taken back is said', async () => {
  const { clock, talk, client, storage, ben } = await setUp();
  const { id } = talk.say(ben.jid, 'helo');
  await expect.poll(() => storage.directMessages.get(id)?.state).toBe('sent');
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  talk.edit(id, 'hello');
  talk.react(id, ['🎉']);
  talk.retract(id);
  client.setState({ kind: 'online', resumed: false });
  await expect
    .poll(async () => {
      await clock.advance(60_000);
      return storage.talkWords.list();
    })
    .toEqual([]);
  expect(client.sent.slice(1).map((stanza) => stanza.getChild('retract') !== undefined)).toEqual([true]);
});

test('a word about a line that their server sends back is said again, later each time, and to nobody who is blocked', async () => {
  const { clock, talk, client, storage, sender, ben, sentIds } = await setUp();
  const { id } = talk.say(ben.jid, 'helo');
  const sent = async (count: number, waitMs: number): Promise<string> => {
    await expect
      .poll(async () => {
        await clock.advance(waitMs);
        return client.sent.length;
      })
      .toBe(count);
    return sentIds().at(-1) ?? '';
  };
  await expect.poll(() => storage.directMessages.get(id)?.state).toBe('sent');
  talk.edit(id, 'hello');
  const word = await sent(2, 100);
  sender.bounced(parseBareJid('eve@evil.test'), word);
  expect(storage.talkWords.list()).toEqual([]);
  sender.bounced(ben.jid, word);
  // It may come back once for each of their devices.
  sender.bounced(ben.jid, word);
  expect(storage.talkWords.list()).toMatchObject([{ line: id, kind: 'edit' }]);
  await clock.advance(30_000);
  expect(client.sent).toHaveLength(2);
  expect(await sent(3, 600_000)).toBe(word);
  await expect.poll(() => storage.talkWords.list()).toEqual([]);
  storage.blocked.add(ben.jid);
  sender.bounced(ben.jid, word);
  expect(storage.talkWords.list()).toEqual([]);
});

test('a word about a line that comes back before our own server has told that it took it is not lost', async () => {
  const { talk, client, storage, sender, ben, sentIds } = await setUp();
  const { id } = talk.say(ben.jid, 'secret');
  await expect.poll(() => storage.directMessages.get(id)?.state).toBe('sent');
  const sendConfirmed = client.sendConfirmed.bind(client);
  client.sendConfirmed = async (...given) => {
    await sendConfirmed(...given);
    sender.bounced(ben.jid, sentIds().at(-1) ?? '');
  };
  talk.retract(id);
  await expect.poll(() => client.sent.length).toBe(2);
  await expect.poll(() => sender.isIdle).toBe(true);
  expect(storage.talkWords.list()).toMatchObject([{ line: id, kind: 'retract' }]);
});

test('a word about a line waits without asking again and again for keys that are not there', async () => {
  const { clock, talk, client, sender, devices, ben } = await setUp();
  const { id } = talk.say(ben.jid, 'helo');
  await expect.poll(() => client.sent.length).toBe(1);
  const { askDeviceIds } = devices;
  let asked = 0;
  devices.askDeviceIds = () => {
    asked += 1;
    return Promise.resolve([]);
  };
  talk.edit(id, 'hello');
  await expect.poll(() => asked).toBe(1);
  await expect.poll(() => sender.isIdle).toBe(true);
  await clock.advance(3_600_000);
  expect(asked).toBe(1);
  devices.askDeviceIds = askDeviceIds;
  sender.poke();
  await expect.poll(() => client.sent.length).toBe(2);
});
