import { expect, onTestFinished, test } from 'vitest';
import { OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { openReaders } from '../../test/fixtures/talk-readers.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { toUtf8 } from '../base/bytes.ts';
import { MAX_TEXT_BYTES } from '../base/cut-text.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import { type EventId, parsePersonId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { Omemo } from '../omemo/omemo.ts';
import { readDirectMessage } from '../spheres/read-stanza.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { correctionOf } from '../xmpp/xep/0308-correction.ts';
import { Contacts } from './contacts.ts';
import { Talk } from './talk.ts';
import type { DeviceFinder } from './talk-devices.ts';
import { TalkSender } from './talk-sender.ts';

const machine = { random: systemRandom, log: silentLogger };

/** One side of a talk, as long as the test runs. */
function openSide(own: RosterPort['jid'], clock: VirtualClock) {
  const folder = new StorageFolder();
  const storage = folder.open();
  const client = new RosterPort();
  const deps = { ...machine, clock, client, storage };
  const contacts = new Contacts({ ...deps, sharesSphere: () => false, spawn: () => undefined });
  const person = parsePersonId('a'.repeat(64));
  const onError = (error: unknown): void => expect.fail(`${error}`);
  const talk = new Talk({ ...deps, contacts, own, person, personBehind: () => null, onError });
  onTestFinished(() => {
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  return { storage, client, contacts, talk };
}

/** Ana writes to Ben; what she sends reaches him when a test says so. */
async function setUp() {
  const clock = new VirtualClock();
  const ben = await new OmemoDevices().add('ben@b.test');
  const ana = openSide(new RosterPort().jid, clock);
  const { jid } = ana.client;
  const his = openSide(ben.jid, clock);
  his.contacts.meet(jid, true);
  const omemo = await Omemo.open({ ...machine, clock, store: ana.storage.omemo, own: jid });
  const deviceIds = (of: string): Promise<number[]> => Promise.resolve(of === ben.jid ? [ben.address.deviceId] : []);
  const bundle = () => Promise.resolve(ben.omemo.bundle());
  const onListed: DeviceFinder['onListed'] = new Emitter((error) => expect.fail(`${error}`));
  const devices = { deviceIds, askDeviceIds: deviceIds, bundle, trouble: () => null, onListed };
  const { encryption } = openReaders({ storage: ana.storage, omemo, own: jid, devices, clock });
  const mail = { isRead: true };
  const begin = () => {
    const stop = new AbortController();
    const { client, storage, talk } = ana;
    const deps = { ...machine, clock, client, storage, talk, encryption };
    const sender = new TalkSender({ ...deps, isMailRead: () => mail.isRead });
    const running = sender.run(stop.signal);
    const end = async (): Promise<void> => {
      stop.abort();
      await running;
    };
    onTestFinished(end);
    return { sender, end };
  };
  const heard: string[] = [];
  his.talk.onHeard.on(({ id }) => heard.push(id));
  const receive = async (stanza: Element): Promise<void> => {
    const read = readDirectMessage(ben.jid, stanza, null, clock.now());
    if (read === undefined || read.omemo === null) throw new Error('it was not read');
    const message = { ...read, from: jid, peer: jid };
    const opened = await ben.omemo.decrypt(
      { from: jid, message: read.omemo },
      (result, changes) => {
        ben.store.apply(changes);
        return result;
      },
      new AbortController().signal,
    );
    if ('kind' in opened || opened.text === null) throw new Error('it was not opened');
    const { text, identityKey, messageKey } = opened;
    his.talk.keep(message, { text, state: 'received', encrypted: true, identityKey, messageKey })();
  };
  const lines = () => his.storage.directMessages.newest(jid, 50);
  const sent = async (id: EventId): Promise<void> =>
    await expect.poll(() => ana.storage.directMessages.get(id)?.state, { timeout: 20_000 }).toBe('sent');
  return { ana, his, ben, clock, mail, begin, receive, lines, sent, heard };
}

/** Of signs of one to four bytes. */
function longText(bytes: number, begin = ''): string {
  const pattern = 'añ€😀\uFEFF ';
  const text = begin + pattern.repeat(Math.floor((bytes - toUtf8(begin).length) / toUtf8(pattern).length));
  return text + 'x'.repeat(bytes - toUtf8(text).length);
}

const reading = (stanza: Element): Element => {
  stanza.attrs['from'] = new RosterPort().jid;
  return stanza;
};

test('a text of 200,000 bytes comes in one line, byte for byte, whatever the order of its pieces', async () => {
  const { ana, his, ben, begin, receive, lines, sent, heard } = await setUp();
  begin();
  const text = longText(MAX_TEXT_BYTES);
  const { id } = ana.talk.say(ben.jid, text);
  await sent(id);
  const pieces = ana.client.sent.map(reading);
  expect(pieces.length).toBe(9);
  for (const piece of pieces) expect(toUtf8(piece.toString()).length).toBeLessThan(64 * 1024 - 30_000);
  const [first, second, ...rest] = pieces;
  for (const piece of rest.toReversed()) await receive(piece);
  const [begun] = lines();
  expect([lines().length, heard, his.storage.talkParts.isOpen(begun?.id as EventId)]).toEqual([1, [], true]);
  if (second !== undefined) await receive(second);
  if (first !== undefined) await receive(first);
  const [whole] = lines();
  expect(toUtf8(whole?.text ?? '')).toEqual(toUtf8(text));
  expect(whole).toMatchObject({ id: begun?.id, stanzaId: id, markable: true, state: 'received' });
  expect([lines().length, heard, his.storage.talkParts.isOpen(begun?.id as EventId)]).toEqual([1, [id], false]);
});

test('a long text is changed by a long one, and taken back', async () => {
  const { ana, ben, begin, receive, lines, sent } = await setUp();
  const { sender } = begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  for (const piece of ana.client.sent.splice(0).map(reading)) await receive(piece);
  const changed = longText(70_000, 'changed: ');
  ana.talk.edit(id, changed);
  await expect.poll(() => sender.isIdle, { timeout: 20_000 }).toBe(true);
  const [first, ...rest] = ana.client.sent.splice(0).map(reading);
  for (const piece of rest) await receive(piece);
  expect(lines()).toMatchObject([{ text: longText(60_000), change: 'none' }]);
  if (first !== undefined) await receive(first);
  expect(lines()).toMatchObject([{ text: changed, change: 'edited' }]);
  ana.talk.retract(id);
  await expect.poll(() => sender.isIdle, { timeout: 20_000 }).toBe(true);
  for (const piece of ana.client.sent.splice(0).map(reading)) await receive(piece);
  expect(lines()).toMatchObject([{ text: '', change: 'retracted' }]);
});

test('a long text that was cut off goes on with the pieces that have not left, also where the archive alone knows of one', async () => {
  const { ana, ben, mail, begin, receive, lines, sent } = await setUp();
  const { client } = ana;
  const send = client.sendConfirmed.bind(client);
  let count = 0;
  client.sendConfirmed = async (stanza) => {
    count += 1;
    if (count >= 3) throw new AppError('disconnected', 'cut off');
    await send(stanza);
  };
  const first = begin();
  const text = longText(120_000);
  const { id } = ana.talk.say(ben.jid, text);
  await expect.poll(() => count, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
  await first.end();
  client.sendConfirmed = send;
  mail.isRead = false;
  const again = begin();
  again.sender.arrived(`${id}-2`);
  mail.isRead = true;
  again.sender.poke();
  await sent(id);
  expect(client.sent.map((stanza) => attr(stanza, 'id'))).toEqual([`${id}-0`, `${id}-1`, `${id}-3`, id]);
  for (const piece of client.sent.map(reading)) await receive(piece);
  expect(lines()[0]?.text).toContain('\n…\n');
  expect(text.startsWith(lines()[0]?.text.split('\n…\n')[0] ?? '?')).toBe(true);
});

test('of a long line that is taken back while it comes nothing stays, and nothing comes again', async () => {
  const { ana, his, ben, begin, receive, lines, sent } = await setUp();
  const { sender } = begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  const pieces = ana.client.sent.splice(0).map(reading);
  for (const piece of pieces.slice(0, 2)) await receive(piece);
  ana.talk.retract(id);
  await expect.poll(() => sender.isIdle, { timeout: 20_000 }).toBe(true);
  for (const piece of ana.client.sent.map(reading)) await receive(piece);
  const [line] = lines();
  const kept = (): unknown[] => his.storage.talkParts.list(line?.id as EventId).map(({ piece }) => piece);
  expect([line?.text, line?.change, kept()]).toEqual(['', 'retracted', [null]]);
  for (const piece of pieces.slice(2)) await receive(piece);
  expect([lines().length, lines()[0]?.text, kept()]).toEqual([1, '', [null]]);
});

test('pieces that come again after all of a long line are nothing new', async () => {
  const { ana, ben, his, begin, receive, lines, sent } = await setUp();
  begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  for (const piece of ana.client.sent.splice(0).map(reading)) await receive(piece);
  ana.storage.directMessages.update(id, { state: 'failed', failure: 'server-unreachable' });
  ana.talk.retry(id);
  await sent(id);
  for (const piece of ana.client.sent.map(reading)) await receive(piece);
  const { stanzaId } = ana.storage.directMessages.get(id) ?? {};
  expect(lines()).toMatchObject([{ text: longText(60_000), stanzaId }]);
  expect(his.storage.talkParts.isOpen(lines()[0]?.id as EventId)).toBe(false);
});

test('a long line takes the place of no other because a server says so', async () => {
  const { ana, ben, begin, receive, lines, sent } = await setUp();
  begin();
  const short = ana.talk.say(ben.jid, 'hello');
  await sent(short.id);
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  const [hello, first, ...rest] = ana.client.sent.map(reading);
  if (hello === undefined || first === undefined) throw new Error('two lines were said');
  first.children = [...first.children, correctionOf(short.id)];
  for (const stanza of [hello, first, ...rest]) await receive(stanza);
  expect(lines().map(({ text }) => text)).toEqual(['hello', longText(60_000)]);
});

test('what the server puts beside a line makes no piece of it', async () => {
  const { ana, ben, begin, receive, lines, sent } = await setUp();
  begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  const [first, second, third] = ana.client.sent.map(reading);
  if (first === undefined || second === undefined || third === undefined) throw new Error('there are three pieces');
  const marks = [first, second].map((stanza) => stanza.getChild('part'));
  for (const [index, stanza] of [first, second].entries()) {
    const rest = stanza.children.filter((one) => one !== marks[index]);
    stanza.children = [...rest, ...marks.slice(1 - index, 2 - index).flatMap((mark) => mark ?? [])];
    await receive(stanza);
  }
  expect(lines()).toHaveLength(2);
});

test('a long line of which the rest came with a second attempt is known by the name of that one', async () => {
  const { ana, ben, begin, receive, lines, sent } = await setUp();
  const { client } = ana;
  const send = client.sendConfirmed.bind(client);
  client.sendConfirmed = async (stanza) => {
    if (client.sent.length >= 1) throw new AppError('not-allowed', 'no more of it');
    await send(stanza);
  };
  const { sender } = begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await expect.poll(() => ana.storage.directMessages.get(id)?.state, { timeout: 20_000 }).toBe('failed');
  client.sendConfirmed = send;
  ana.talk.retry(id);
  await sent(id);
  for (const piece of client.sent.splice(0).map(reading)) await receive(piece);
  expect(lines().map(({ text }) => text === longText(60_000))).toEqual([true]);
  expect(lines()[0]?.stanzaId).toBe(ana.storage.directMessages.get(id)?.stanzaId);
  ana.talk.retract(id);
  await expect.poll(() => sender.isIdle, { timeout: 20_000 }).toBe(true);
  for (const piece of client.sent.map(reading)) await receive(piece);
  expect(lines()).toMatchObject([{ text: '', change: 'retracted' }]);
});

/** Of a text of three pieces one is refused; the connection breaks before the third, and the author tries once more. */
async function refused(number: number, when: 'before our server takes it' | 'at the cut') {
  const side = await setUp();
  const { ana, ben, begin, receive, lines, sent } = side;
  const { client } = ana;
  const send = client.sendConfirmed.bind(client);
  let isCut = false;
  const refuse = (): void => {
    ana.talk.bounced(ben.jid, `${id}-${number}`);
    sender.bounced(ben.jid, `${id}-${number}`);
  };
  client.sendConfirmed = async (stanza) => {
    if (client.sent.length >= 2 && !isCut) {
      isCut = true;
      if (when === 'at the cut') refuse();
      throw new AppError('disconnected', 'cut off');
    }
    await send(stanza);
    if (when !== 'at the cut' && !isCut && client.sent.length === number + 1) refuse();
  };
  const { sender } = begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await expect.poll(() => ana.storage.directMessages.get(id)?.state, { timeout: 20_000 }).toBe('failed');
  await expect.poll(() => isCut, { timeout: 20_000 }).toBe(true);
  ana.talk.retry(id);
  sender.poke();
  await sent(id);
  for (const [place, piece] of client.sent.map(reading).entries()) if (place !== number) await receive(piece);
  return lines().map(({ text }) => text === longText(60_000));
}

test('a piece that came back is said again with the rest of its line', async () => {
  expect(await refused(0, 'at the cut')).toEqual([true]);
});

test('a piece whose refusal is here before our own server took it is said again', async () => {
  expect(await refused(1, 'before our server takes it')).toEqual([true]);
});

test('a line of which the rest comes after many weeks keeps its beginning', async () => {
  const { ana, ben, clock, begin, receive, lines, sent } = await setUp();
  begin();
  const { id } = ana.talk.say(ben.jid, longText(60_000));
  await sent(id);
  const [first, second, third] = ana.client.sent.map(reading);
  if (first === undefined || second === undefined || third === undefined) throw new Error('there are three pieces');
  await receive(first);
  await clock.advance(20 * 86_400_000);
  await receive(second);
  await clock.advance(20 * 86_400_000);
  await receive(third);
  expect(lines().map(({ text }) => text === longText(60_000))).toEqual([true]);
});
