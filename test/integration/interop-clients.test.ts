import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import type { MessageView } from '../../src/contract/views.ts';
import { attr, type Element, xml } from '../../src/xmpp/element.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { Room } from '../../src/xmpp/room.ts';
import { registerAccount } from '../../src/xmpp/register.ts';
import { readReceiptRequest, receipt } from '../../src/xmpp/xep/0184-receipts.ts';
import { correctionOf, readCorrected } from '../../src/xmpp/xep/0308-correction.ts';
import { readRetracted, retractionOf } from '../../src/xmpp/xep/0424-retraction.ts';
import { readAnswered, replyTo } from '../../src/xmpp/xep/0461-replies.ts';
import { NS_OMEMO, publishDeviceList } from '../../src/xmpp/xep/0384-omemo.ts';
import { hasEjabberd, startEjabberd } from '../fixtures/ejabberd.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { EngineWorld, passwordOf, type Person } from '../fixtures/engine-world.ts';
import { hasOldmemo, OldmemoPeer } from '../fixtures/oldmemo-peer.ts';
import { OmemoClient } from '../fixtures/omemo-client.ts';
import { hasProfanity, Profanity } from '../fixtures/profanity.ts';
import { loginAt, machine, never, signIn, until } from '../fixtures/xmpp-accounts.ts';
import type { XmppServer } from '../fixtures/xmpp-server.ts';

const anna = parseBareJid('anna@a.test');
const carl = parseBareJid('carl@a.test');
const juliet = parseBareJid('juliet@a.test');
const paul = parseBareJid('paul@a.test');
/** Another program answers when it likes, and starts slowly on a busy machine. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let world: EngineWorld;
let owner: Person;

beforeAll(async () => {
  const users = { carl: 'pw', juliet: 'pw', paul: 'pw' };
  world = await EngineWorld.start(['anna'], { users });
  owner = world.person('anna');
});
afterAll(async () => await world[Symbol.asyncDispose]());

/** A sphere of anna's into which this account is invited; its id and its room. */
async function sphereWith(name: string, jid: string): Promise<{ id: string; room: string }> {
  const { id, room } = await owner.create(name);
  await owner.invite(id, jid);
  return { id, room };
}

/** Lines that others wrote with ordinary programs, as anna sees them. */
const seesGuest = (sphere: string, text: string): Promise<unknown> =>
  eventually(`"${text}" as a guest's line`, async () =>
    (await owner.messages(sphere)).find((line) => line.text === text && line.state === 'guest' && line.encrypted),
  );

async function shareFilm(sphere: string): Promise<void> {
  const path = join(world.folder, 'beach.mp4');
  await writeFile(path, Buffer.alloc(120_000, 7));
  await owner.share(sphere, path);
}

describe.skipIf(!hasProfanity())('profanity', () => {
  test('talks with us alone and in a sphere, both ways, and shows what is shared as a line', async () => {
    const her = await signIn(world.prosody, 'juliet');
    // It publishes no first list on a server that says item-not-found.
    await publishDeviceList(her, []);
    await her[Symbol.asyncDispose]();
    using profanity = await Profanity.start(world.prosody, 'juliet', 'pw');
    await using us = await OmemoClient.start(world.prosody, 'carl', 'pw');
    await befriend(profanity, us.client);
    const login = await loginAt(world.prosody, 'anna', passwordOf('anna'));
    await using other = new XmppClient({ ...machine, login });
    await other.connect(never);
    await befriend(profanity, other);
    profanity.type('/omemo gen');
    await profanity.shows(/materials generated/i);

    // Alone.
    await eventually('her keys', () =>
      us.say(juliet, 'from us été').then(
        () => true,
        () => undefined,
      ),
    );
    profanity.type(`/msg ${carl}`);
    profanity.type(`/omemo start ${carl}`);
    await profanity.shows(/from us été/);
    profanity.type('from her ça');
    expect(await us.hear()).toBe('from her ça');
    await us.say(juliet, 'and again');
    await profanity.shows(/and again/);

    // In a sphere.
    const { id, room } = await sphereWith('Terrace', juliet);
    profanity.type(`/join ${room}`);
    await profanity.shows(/you have joined the room/i);
    profanity.type('/omemo start');
    await owner.say(id, 'hello terrace ✓');
    await profanity.shows(/hello terrace ✓/);
    profanity.type('good evening ö');
    await seesGuest(id, 'good evening ö');
    await shareFilm(id);
    await profanity.shows(/beach\.mp4/);

    // Alone with a whole program of ours: what came is told, and other words take the place of the first.
    const talk = await owner.ask(async (client) => (await client.people.open({ jid: juliet })).person.conversationId);
    const line = (isWanted: (view: MessageView) => boolean): Promise<MessageView> =>
      eventually('the line', async () => (await owner.messages(talk)).find(isWanted));
    for (const switched of ['/receipts send on', '/receipts request on', '/correction on']) profanity.type(switched);
    profanity.type(`/msg ${anna}`);
    profanity.type(`/omemo start ${anna}`);
    await owner.say(talk, 'hello juliet ✓');
    await profanity.shows(/hello juliet ✓/);
    await line(({ text, state }) => text === 'hello juliet ✓' && state === 'delivered');
    profanity.type('helo anna');
    const first = await line(({ text, encrypted }) => text === 'helo anna' && encrypted);
    profanity.type('/correct hello anna');
    const edited = await line(({ text }) => text === 'hello anna');
    expect(edited).toMatchObject({ id: first.id, change: 'edited', encrypted: true });
    // And what we answer, change and take back, which it shows as lines.
    await owner.ask((client) => client.messages.say({ sphereId: talk, text: 'indeed', replyTo: edited.id }));
    await profanity.shows(/> hello anna\s[\s\S]*indeed/);
    const answer = await line(({ text, state }) => text === 'indeed' && state === 'delivered');
    await owner.ask((client) => client.messages.edit({ sphereId: talk, messageId: answer.id, text: 'indeed so' }));
    await profanity.shows(/indeed so/);
    await owner.ask((client) => client.messages.retract({ sphereId: talk, messageId: answer.id }));
    await profanity.shows(/retracted a previous message/);
  });
});

describe.skipIf(!hasOldmemo())('python-oldmemo', () => {
  test('talks with us alone, both ways', async () => {
    expect(await talkAlone(world.prosody)).toEqual(TALK);
  });

  test.skipIf(!hasEjabberd())('talks with us alone on ejabberd, both ways', async () => {
    await using server = await startEjabberd();
    for (const user of ['paul', 'carl']) await registerAccount(await loginAt(server, user, 'pw'), machine, never);
    expect(await talkAlone(server)).toEqual(TALK);
  });

  test('talks with a whole program of ours: lines, receipts, answers, changes, and what is taken back', async () => {
    await using them = await OldmemoPeer.start(world.prosody, 'paul', 'pw');
    const heard = collect(them.client);
    const talk = await owner.ask(async (client) => (await client.people.open({ jid: paul })).person.conversationId);
    const line = (isWanted: (view: MessageView) => boolean): Promise<MessageView> =>
      eventually('the line', async () => (await owner.messages(talk)).find(isWanted));
    const next = async (): Promise<{ stanza: Element; text: string | null }> => {
      await until(() => heard.length > 0, 'a message');
      const stanza = heard.shift() ?? xml('message');
      return { stanza, text: await them.decrypt(anna, stanza) };
    };
    const write = async (text: string, ...beside: Element[]): Promise<string> => {
      const id = them.client.newId();
      await them.client.send(xml('message', { to: anna, type: 'chat', id }, await them.encrypt(text, anna), ...beside));
      return id;
    };

    await owner.say(talk, 'hello paul');
    const hello = await next();
    expect([hello.text, readReceiptRequest(hello.stanza)]).toEqual(['hello paul', attr(hello.stanza, 'id')]);
    await them.client.send(xml('message', { to: anna, type: 'chat' }, receipt(attr(hello.stanza, 'id') ?? '')));
    await line(({ text, state }) => text === 'hello paul' && state === 'delivered');

    const first = await write('helo anna ö', xml('body', {}, '…'));
    const typo = await line(({ text, encrypted }) => text === 'helo anna ö' && encrypted);
    await write('hello anna ö', correctionOf(first));
    expect(await line(({ text }) => text === 'hello anna ö')).toMatchObject({ id: typo.id, change: 'edited' });
    await owner.ask((client) => client.messages.say({ sphereId: talk, text: 'welcome', replyTo: typo.id }));
    const welcome = await next();
    expect([welcome.text, readAnswered(welcome.stanza)]).toEqual([
      expect.stringMatching(/^> hello anna ö\s+welcome$/),
      first,
    ]);
    await write('thanks', replyTo({ to: anna, id: attr(welcome.stanza, 'id') ?? '' }));
    const mine = await line(({ text }) => text === 'welcome');
    expect((await line(({ text }) => text === 'thanks')).replyTo).toMatchObject({ id: mine.id, text: 'welcome' });

    await owner.ask((client) => client.messages.edit({ sphereId: talk, messageId: mine.id, text: 'most welcome' }));
    const changed = await next();
    expect([changed.text, readCorrected(changed.stanza)]).toEqual([
      expect.stringContaining('most welcome'),
      attr(welcome.stanza, 'id'),
    ]);
    await owner.ask((client) => client.messages.retract({ sphereId: talk, messageId: mine.id }));
    const gone = await next();
    expect([gone.text, readRetracted(gone.stanza)]).toEqual([
      expect.stringContaining('retracted a previous message'),
      attr(welcome.stanza, 'id'),
    ]);
    await write("/me retracted a previous message, but it's unsupported by your client.", retractionOf(first));
    expect(await line(({ id, change }) => id === typo.id && change === 'retracted')).toMatchObject({ text: '' });
  });

  test('is compared by its fingerprint, and gets a new session when ours is lost', async () => {
    await using them = await OldmemoPeer.start(world.prosody, 'paul', 'pw');
    const heard: Element[] = [];
    them.client.onStanza.on((stanza) => stanza.getChild('encrypted', NS_OMEMO) !== undefined && heard.push(stanza));
    const next = async (): Promise<string | null> => {
      await until(() => heard.length > 0, 'a message');
      return await them.decrypt(anna, heard.shift() ?? xml('message'));
    };
    const talk = await owner.ask(async (client) => (await client.people.open({ jid: paul })).person.conversationId);
    const write = async (text: string): Promise<void> =>
      await them.client.send(
        xml('message', { to: anna, type: 'chat' }, await them.encrypt(text, anna), xml('body', {}, '…')),
      );
    const seen = (isWanted: (view: MessageView) => boolean) =>
      eventually('the line', async () => (await owner.messages(talk)).find(isWanted));
    await owner.say(talk, 'hello again');
    expect(await next()).toBe('hello again');
    await write('still here');
    await seen(({ text }) => text === 'still here');

    const { devices } = await owner.ask((client) => client.people.fingerprints({ jid: paul }));
    const fingerprint = await them.fingerprint();
    const device = devices.find((one) => one.fingerprint === fingerprint);
    if (device === undefined || fingerprint === null) throw new Error('its device is not listed');
    const said = [{ deviceId: device.deviceId, fingerprint }];
    await owner.ask((client) => client.people.compare({ jid: paul, devices: said, isSame: true }));
    await owner.say(talk, 'for you alone');
    expect(await next()).toBe('for you alone');

    await owner.engine.killHard();
    loseSessions(owner, paul);
    await owner.restart();
    await write('lost');
    await seen(({ state }) => state === 'undecryptable');
    // A key and nothing else.
    expect(await next()).toBeNull();
    await write('found');
    expect(await seen(({ text }) => text === 'found')).toMatchObject({ encrypted: true, state: 'received' });
  });

  test('talks in a sphere, both ways, and gets what is shared as a line', async () => {
    await using them = await OldmemoPeer.start(world.prosody, 'paul', 'pw');
    const { id, room: address } = await sphereWith('Cellar', paul);
    const room = new Room({ client: them.client, address: parseBareJid(address), nick: 'paul', ...machine });
    onTestFinished(async () => await room[Symbol.asyncDispose]());
    const heard: Element[] = [];
    room.onMessage.on(({ stanza }) => stanza.getChild('body') !== undefined && heard.push(stanza));
    await room.join(never);
    await owner.say(id, 'hello cellar');
    await until(() => heard.length === 1, 'the line');
    expect(await them.decrypt(anna, heard[0] ?? xml('message'))).toBe('hello cellar');
    const message = await them.encrypt('dark here ö', anna);
    await room.send(xml('message', { to: address, type: 'groupchat', id: 'dark' }, message, xml('body', {}, '…')));
    await seesGuest(id, 'dark here ö');
    await shareFilm(id);
    await until(() => heard.some((stanza) => isFrom(stanza, 'anna') && heard.indexOf(stanza) > 0), 'the share');
    const shared = heard.findLast((stanza) => isFrom(stanza, 'anna'));
    expect(await them.decrypt(anna, shared ?? xml('message'))).toMatch(/beach\.mp4/);
  });
});

const TALK = ['from us é', 'first ç', 'first ç yourself', 'second', 'second yourself', 'third', 'third yourself'];

/** Paul with python-oldmemo and Carl with ours answer each other; what each of them read, in turn. */
async function talkAlone(server: XmppServer): Promise<(string | null)[]> {
  await using them = await OldmemoPeer.start(server, 'paul', 'pw');
  await using us = await OmemoClient.start(server, 'carl', 'pw');
  const [from, to] = [us.client.jid, them.client.jid];
  const heard = collect(them.client);
  const next = async (): Promise<string | null> => {
    await until(() => heard.length > 0, 'a message');
    return await them.decrypt(from, heard.shift() ?? xml('message'));
  };
  await us.say(to, 'from us é');
  const read = [await next()];
  for (const text of ['first ç', 'second', 'third']) {
    const message = await them.encrypt(text, from);
    await them.client.send(xml('message', { to: from, type: 'chat' }, message));
    read.push(await us.hear());
    await us.say(to, `${text} yourself`);
    read.push(await next());
  }
  return read;
}

/** What is kept of the sessions with somebody is gone from the disk. */
function loseSessions({ profile }: Person, jid: string): void {
  const name = readdirSync(profile, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('spherecast.db'),
  );
  const database = new Sqlite(join(profile, name ?? ''));
  database.prepare('DELETE FROM omemo_session WHERE jid = ?').run(jid);
  database.close();
}

const isFrom = (stanza: Element, nick: string): boolean =>
  attr(stanza, 'from')?.split('/')[1]?.startsWith(nick) === true;

/** The messages with a text that come to an account alone. */
function collect({ onStanza }: OldmemoPeer['client']): Element[] {
  const heard: Element[] = [];
  onStanza.on((stanza) => stanza.getChild('body') !== undefined && heard.push(stanza));
  return heard;
}

/** Profanity lets only those read its keys who see its presence. */
async function befriend(profanity: Profanity, client: XmppClient): Promise<void> {
  client.onStanza.on((stanza) => {
    if (stanza.name !== 'presence' || attr(stanza, 'type') !== 'subscribe') return;
    void client.send(xml('presence', { to: attr(stanza, 'from'), type: 'subscribed' }));
  });
  await client.send(xml('presence'));
  await client.send(xml('presence', { to: juliet, type: 'subscribe' }));
  await profanity.shows(new RegExp(`authorization request from ${client.jid}`, 'i'));
  profanity.type(`/sub allow ${client.jid}`);
  profanity.type(`/sub request ${client.jid}`);
}
