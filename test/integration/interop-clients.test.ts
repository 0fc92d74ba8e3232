import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type BareJid, parseBareJid } from '../../src/base/id.ts';
import type { MessageView } from '../../src/contract/views.ts';
import { attr, type Element, xml } from '../../src/xmpp/element.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { Room } from '../../src/xmpp/room.ts';
import { readReceiptRequest, receipt } from '../../src/xmpp/xep/0184-receipts.ts';
import { correctionOf, readCorrected } from '../../src/xmpp/xep/0308-correction.ts';
import { readRetracted, retractionOf } from '../../src/xmpp/xep/0424-retraction.ts';
import { readAnswered, replyTo } from '../../src/xmpp/xep/0461-replies.ts';
import { NS_OMEMO, publishDeviceList } from '../../src/xmpp/xep/0384-omemo.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { passwordOf, type Person } from '../fixtures/engine-world.ts';
import { ForeignWorld, MEETING_PLACES } from '../fixtures/foreign-world.ts';
import { hasOldmemo, OldmemoPeer } from '../fixtures/oldmemo-peer.ts';
import { OmemoClient } from '../fixtures/omemo-client.ts';
import { hasProfanity, Profanity } from '../fixtures/profanity.ts';
import { loginAt, machine, never, until } from '../fixtures/xmpp-accounts.ts';
import type { XmppServer } from '../fixtures/xmpp-server.ts';

/** Another program answers when it likes, and starts slowly on a busy machine. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

describe.concurrent.each(MEETING_PLACES)('$name', (place) => {
  const hasNoProfanity = !place.canStart() || !hasProfanity();
  const hasNoOldmemo = !place.canStart() || !hasOldmemo();
  let world: ForeignWorld;
  beforeAll(async () => {
    world = await ForeignWorld.start(place);
  });
  afterAll(async () => await world[Symbol.asyncDispose]());
  // Places are side by side; at each of them one is after the other, since the last one ends anna's engine.

  test.skipIf(hasNoProfanity)(
    'profanity talks with us alone and in a sphere, both ways, and shows what is shared as a line',
    { concurrent: false },
    async () => {
      const { here, there, anna, annaJid } = world;
      const [juliet, carl] = [await world.account('there', 'juliet'), await world.account('here', 'carl')];
      await publishNoDevices(there, 'juliet');
      using profanity = await Profanity.start(there, 'juliet', 'pw');
      await using us = await OmemoClient.start(here, 'carl', 'pw');
      await befriend(profanity, us.client, juliet);
      await using other = new XmppClient({ ...machine, login: await loginAt(here, 'anna', passwordOf('anna')) });
      await other.connect(never);
      await befriend(profanity, other, juliet);
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
      const { id, room } = await world.sphereWith('Terrace', juliet);
      profanity.type(`/join ${room}`);
      await profanity.shows(/you have joined the room/i);
      profanity.type('/omemo start');
      await anna.say(id, 'hello terrace ✓');
      await profanity.shows(/hello terrace ✓/);
      profanity.type('good evening ö');
      await world.guestLine(id, 'good evening ö');
      await world.shareFilm(id);
      await profanity.shows(/📎 beach\.mp4 · 120 kB/);

      // Alone with a whole program of ours: what came is told, and other words take the place of the first.
      const talk = await world.talkWith(juliet);
      const line = (isWanted: (view: MessageView) => boolean): Promise<MessageView> => world.line(talk, isWanted);
      for (const switched of ['/receipts send on', '/receipts request on', '/correction on']) profanity.type(switched);
      profanity.type(`/msg ${annaJid}`);
      profanity.type(`/omemo start ${annaJid}`);
      await anna.say(talk, 'hello juliet ✓');
      await profanity.shows(/hello juliet ✓/);
      await line(({ text, state }) => text === 'hello juliet ✓' && state === 'delivered');
      profanity.type('helo anna');
      const first = await line(({ text, encrypted }) => text === 'helo anna' && encrypted);
      profanity.type('/correct hello anna');
      const edited = await line(({ text }) => text === 'hello anna');
      expect(edited).toMatchObject({ id: first.id, change: 'edited', encrypted: true });
      // And what we answer, change and take back, which it shows as lines.
      await anna.ask((client) => client.messages.say({ sphereId: talk, text: 'indeed', replyTo: edited.id }));
      await profanity.shows(/> hello anna\s[\s\S]*indeed/);
      const answer = await line(({ text, state }) => text === 'indeed' && state === 'delivered');
      await anna.ask((client) => client.messages.edit({ sphereId: talk, messageId: answer.id, text: 'indeed so' }));
      await profanity.shows(/indeed so/);
      await anna.ask((client) => client.messages.retract({ sphereId: talk, messageId: answer.id }));
      await profanity.shows(/retracted a previous message/);
    },
  );

  test.skipIf(hasNoOldmemo)('python-oldmemo talks with us alone, both ways', { concurrent: false }, async () => {
    expect(await talkAlone(world)).toEqual(TALK);
  });

  test.skipIf(hasNoOldmemo)(
    'python-oldmemo talks in a sphere, both ways, and gets what is shared as a line',
    { concurrent: false },
    async () => {
      const { there, anna, annaJid } = world;
      const sara = await world.account('there', 'sara');
      await using them = await OldmemoPeer.start(there, 'sara', 'pw');
      const { id, room: address } = await world.sphereWith('Cellar', sara);
      await using room = new Room({ client: them.client, address: parseBareJid(address), nick: 'sara', ...machine });
      const heard: Element[] = [];
      room.onMessage.on(({ stanza }) => stanza.getChild('body') !== undefined && heard.push(stanza));
      await room.join(never);
      await anna.say(id, 'hello cellar');
      await until(() => heard.length === 1, 'the line');
      expect(await them.decrypt(annaJid, heard[0] ?? xml('message'))).toBe('hello cellar');
      const message = await them.encrypt('dark here ö', annaJid);
      await room.send(xml('message', { to: address, type: 'groupchat', id: 'dark' }, message, xml('body', {}, '…')));
      await world.guestLine(id, 'dark here ö');
      await world.shareFilm(id);
      await until(() => heard.some((stanza) => isFrom(stanza, 'anna') && heard.indexOf(stanza) > 0), 'the share');
      const shared = heard.findLast((stanza) => isFrom(stanza, 'anna'));
      expect(await them.decrypt(annaJid, shared ?? xml('message'))).toBe('📎 beach.mp4 · 120 kB');
    },
  );

  test.skipIf(hasNoOldmemo)(
    'python-oldmemo talks with a whole program of ours: lines, receipts, answers, changes, and what is taken back',
    { concurrent: false },
    async () => {
      const { there, anna, annaJid } = world;
      const paul = await world.account('there', 'paul');
      await using them = await OldmemoPeer.start(there, 'paul', 'pw');
      const heard = collect(them.client);
      const talk = await world.talkWith(paul);
      const line = (isWanted: (view: MessageView) => boolean): Promise<MessageView> => world.line(talk, isWanted);
      const next = async (): Promise<{ stanza: Element; text: string | null }> => {
        await until(() => heard.length > 0, 'a message');
        const stanza = heard.shift() ?? xml('message');
        return { stanza, text: await them.decrypt(annaJid, stanza) };
      };
      const write = async (text: string, ...beside: Element[]): Promise<string> => {
        const id = them.client.newId();
        await them.client.send(
          xml('message', { to: annaJid, type: 'chat', id }, await them.encrypt(text, annaJid), ...beside),
        );
        return id;
      };

      await anna.say(talk, 'hello paul');
      const hello = await next();
      expect([hello.text, readReceiptRequest(hello.stanza)]).toEqual(['hello paul', attr(hello.stanza, 'id')]);
      await them.client.send(xml('message', { to: annaJid, type: 'chat' }, receipt(attr(hello.stanza, 'id') ?? '')));
      await line(({ text, state }) => text === 'hello paul' && state === 'delivered');

      const first = await write('helo anna ö', xml('body', {}, '…'));
      const typo = await line(({ text, encrypted }) => text === 'helo anna ö' && encrypted);
      await write('hello anna ö', correctionOf(first));
      expect(await line(({ text }) => text === 'hello anna ö')).toMatchObject({ id: typo.id, change: 'edited' });
      await anna.ask((client) => client.messages.say({ sphereId: talk, text: 'welcome', replyTo: typo.id }));
      const welcome = await next();
      expect([welcome.text, readAnswered(welcome.stanza)]).toEqual([
        expect.stringMatching(/^> hello anna ö\s+welcome$/),
        first,
      ]);
      await write('thanks', replyTo({ to: annaJid, id: attr(welcome.stanza, 'id') ?? '' }));
      const mine = await line(({ text }) => text === 'welcome');
      expect((await line(({ text }) => text === 'thanks')).replyTo).toMatchObject({ id: mine.id, text: 'welcome' });

      await anna.ask((client) => client.messages.edit({ sphereId: talk, messageId: mine.id, text: 'most welcome' }));
      const changed = await next();
      expect([changed.text, readCorrected(changed.stanza)]).toEqual([
        expect.stringContaining('most welcome'),
        attr(welcome.stanza, 'id'),
      ]);
      await anna.ask((client) => client.messages.retract({ sphereId: talk, messageId: mine.id }));
      const gone = await next();
      expect([gone.text, readRetracted(gone.stanza)]).toEqual([
        expect.stringContaining('retracted a previous message'),
        attr(welcome.stanza, 'id'),
      ]);
      await write("/me retracted a previous message, but it's unsupported by your client.", retractionOf(first));
      expect(await line(({ id, change }) => id === typo.id && change === 'retracted')).toMatchObject({ text: '' });
    },
  );

  test.skipIf(hasNoOldmemo)(
    'python-oldmemo is compared by its fingerprint, and gets a new session when ours is lost',
    { concurrent: false },
    async () => {
      const { there, anna, annaJid } = world;
      const nora = await world.account('there', 'nora');
      await using them = await OldmemoPeer.start(there, 'nora', 'pw');
      const heard: Element[] = [];
      them.client.onStanza.on((stanza) => stanza.getChild('encrypted', NS_OMEMO) !== undefined && heard.push(stanza));
      const next = async (): Promise<string | null> => {
        await until(() => heard.length > 0, 'a message');
        return await them.decrypt(annaJid, heard.shift() ?? xml('message'));
      };
      const talk = await world.talkWith(nora);
      const write = async (text: string): Promise<void> =>
        await them.client.send(
          xml('message', { to: annaJid, type: 'chat' }, await them.encrypt(text, annaJid), xml('body', {}, '…')),
        );
      const seen = (isWanted: (view: MessageView) => boolean): Promise<MessageView> => world.line(talk, isWanted);
      await anna.say(talk, 'hello again');
      expect(await next()).toBe('hello again');
      await write('still here');
      await seen(({ text }) => text === 'still here');

      const { devices } = await anna.ask((client) => client.people.fingerprints({ jid: nora }));
      const fingerprint = await them.fingerprint();
      const device = devices.find((one) => one.fingerprint === fingerprint);
      if (device === undefined || fingerprint === null) throw new Error('its device is not listed');
      const said = [{ deviceId: device.deviceId, fingerprint }];
      await anna.ask((client) => client.people.compare({ jid: nora, devices: said, isSame: true }));
      await anna.say(talk, 'for you alone');
      expect(await next()).toBe('for you alone');

      await anna.engine.killHard();
      loseSessions(anna, nora);
      await anna.restart();
      await write('lost');
      await seen(({ state }) => state === 'undecryptable');
      // A key and nothing else.
      expect(await next()).toBeNull();
      await write('found');
      expect(await seen(({ text }) => text === 'found')).toMatchObject({ encrypted: true, state: 'received' });
    },
  );
});

const TALK = ['from us é', 'first ç', 'first ç yourself', 'second', 'second yourself', 'third', 'third yourself'];

/** Otto with python-oldmemo and Dora with ours answer each other; what each of them read, in turn. */
async function talkAlone(world: ForeignWorld): Promise<(string | null)[]> {
  const [to, from] = [await world.account('there', 'otto'), await world.account('here', 'dora')];
  await using them = await OldmemoPeer.start(world.there, 'otto', 'pw');
  await using us = await OmemoClient.start(world.here, 'dora', 'pw');
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

/** Profanity publishes no first list on a server that says item-not-found. */
async function publishNoDevices(server: XmppServer, user: string): Promise<void> {
  await using client = new XmppClient({ ...machine, login: await loginAt(server, user, 'pw') });
  await client.connect(never);
  await publishDeviceList(client, []);
}

/** Profanity lets only those read its keys who see its presence. */
async function befriend(profanity: Profanity, client: XmppClient, juliet: BareJid): Promise<void> {
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
