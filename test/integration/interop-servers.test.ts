import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ItemId, parseBareJid, type SphereId } from '../../src/base/id.ts';
import { askServer } from '../../src/engine/doctor/ask-server.ts';
import type { AccountSession } from '../../src/engine/account-session.ts';
import type { DirectMessageRow } from '../../src/storage/direct-message-table.ts';
import { attr, type Element, xml } from '../../src/xmpp/element.ts';
import { registerAccount } from '../../src/xmpp/register.ts';
import { Room } from '../../src/xmpp/room.ts';
import { startCutProxy } from '../fixtures/cut-proxy.ts';
import { hasEjabberd, startEjabberd } from '../fixtures/ejabberd.ts';
import { FakeSwarm } from '../fixtures/fake-swarm.ts';
import { startFederation } from '../fixtures/federation.ts';
import { knownVersion } from '../fixtures/known-version.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import { hasOldmemo, OldmemoPeer } from '../fixtures/oldmemo-peer.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import { loginAt, machine, never, until } from '../fixtures/xmpp-accounts.ts';
import { memoryNote } from '../fixtures/memory-note.ts';
import type { XmppServer } from '../fixtures/xmpp-server.ts';

const soon = (): AbortSignal => AbortSignal.timeout(30_000);

async function member(server: XmppServer, user: string): Promise<RawMember> {
  await registerAccount(await loginAt(server, user, passwordOf(user)), machine, never);
  const person = await RawMember.start(server, user);
  onTestFinished(async () => await person[Symbol.asyncDispose]());
  return person;
}

const texts = ({ session }: RawMember, sphere: string): string[] =>
  session.storage.messages
    .newest(session.list.get(sphere as never).id, 100)
    .filter(({ kind, state }) => kind === 'text' && state !== 'undecryptable' && state !== 'forged')
    .map(({ text }) => text);

async function sees(person: RawMember, sphere: string, text: string, withinMs = 30_000): Promise<void> {
  const what = `"${text.slice(0, 50)}" at ${person.session.own}`;
  await eventually(what, async () => (texts(person, sphere).includes(text) ? true : undefined), withinMs);
}

const GUEST_TALK = hasOldmemo() ? ['hello paul', 'good evening ö'] : [];
const SAID = ['hello yourself 🎬', 'hello été', ...GUEST_TALK, 'typed without a connection', 'while you were away'];

/** 200,000 bytes, the most that one message says: of 34 stanzas a slow machine makes a while. */
const LONG = 'añ€😀'.repeat(20_000);
const LONG_MS = 120_000;

/** What people do in a sphere, whatever servers they use: meet, talk, miss things, and part. All that the owner reads. */
async function liveTogether(here: XmppServer, there: XmppServer): Promise<string[]> {
  const ana = await member(here, 'ana');
  await using line = await startCutProxy({ host: there.host, port: there.c2sPort });
  const ben = await member({ ...there, host: line.host, c2sPort: line.port }, 'ben');
  const room = async (): Promise<string[]> => {
    const { rooms } = ana.session;
    return (await rooms.affiliations(ana.sphere(id).row.room, soon())).map(({ jid }) => jid);
  };

  const { id } = await ana.session.members.create('Summer', soon());
  await ana.session.members.invite(id, parseBareJid(ben.session.own), soon());
  expect(await ben.join('Summer')).toBe(id);
  ana.session.messages.say(id, 'hello été');
  await sees(ben, id, 'hello été');
  ben.session.messages.say(id, 'hello yourself 🎬');
  await sees(ana, id, 'hello yourself 🎬');

  ben.session.messages.say(id, LONG);
  await sees(ana, id, LONG, LONG_MS);

  // What is said while a member's connection is broken comes when it is back, and the other way round.
  line.isOpen = false;
  line.cut();
  ana.session.messages.say(id, 'while you were away');
  ben.session.messages.say(id, 'typed without a connection');
  await eventually('ana has sent it', async () => (ana.session.outgoing.isIdle ? true : undefined));
  line.isOpen = true;
  ben.session.client.retryNow();
  await sees(ben, id, 'while you were away');
  await sees(ana, id, 'typed without a connection');

  await changeWhatWasSaid(ana, ben, id);
  if (hasOldmemo()) await welcomeGuest(there, { ana, ben, id });
  await talkAlone(ana, ben);

  await ana.session.members.remove(id, parseBareJid(ben.session.own), soon());
  await eventually('ben is off the list', async () => ((await room()).includes(ben.session.own) ? undefined : true));
  return texts(ana, id).filter((text) => text !== LONG && text !== '');
}

/** Signs on a line, other words for it, and its end: all that a sphere does with what was said. */
async function changeWhatWasSaid(ana: RawMember, ben: RawMember, id: SphereId): Promise<void> {
  const line = ana.session.messages.say(id, 'helo all');
  await sees(ben, id, 'helo all');
  ben.session.messages.react(id, line, ['🎉']);
  const signs = (): readonly string[] => ana.sphere(id).log.annotations.signsOf(line, ben.identity.author.person);
  await eventually('the sign', async () => signs().includes('🎉') || undefined);
  ana.session.messages.edit(id, line, 'hello all');
  await sees(ben, id, 'hello all');
  expect(texts(ben, id)).not.toContain('helo all');
  ana.session.messages.retract(id, line, false);
  await eventually('the line goes', async () => !texts(ben, id).includes('hello all') || undefined);
}

/** Somebody with another program, in the room of a sphere: they read, are read, and see what is shared as a line. */
async function welcomeGuest(
  server: XmppServer,
  { ana, ben, id }: { readonly ana: RawMember; readonly ben: RawMember; readonly id: SphereId },
): Promise<void> {
  await registerAccount(await loginAt(server, 'paul', 'pw'), machine, never);
  await using them = await OldmemoPeer.start(server, 'paul', 'pw');
  const address = ana.sphere(id).row.room;
  await ana.session.members.invite(id, them.client.jid, soon());
  await using room = new Room({ client: them.client, address, nick: 'paul', ...machine });
  const heard: Element[] = [];
  // Their own words come back to them too.
  room.onMessage.on(({ stanza }) => {
    if (stanza.getChild('body') !== undefined && attr(stanza, 'from')?.startsWith(`${address}/ana-`))
      heard.push(stanza);
  });
  await room.join(soon());
  const hears = async (text: string): Promise<void> => {
    await until(() => heard.length > 0, `"${text}" in the room`);
    expect(await them.decrypt(ana.session.own, heard.shift() ?? xml('message'))).toBe(text);
  };
  ana.session.messages.say(id, 'hello paul');
  await hears('hello paul');
  const words = await them.encrypt('good evening ö', ana.session.own, ben.session.own);
  await room.send(xml('message', { to: address, type: 'groupchat', id: 'dark' }, words, xml('body', {}, '…')));
  const guests = ({ session }: RawMember): string[] =>
    session.storage.messages.newest(id, 100).flatMap(({ state, text }) => (state === 'guest' ? [text] : []));
  for (const member of [ana, ben]) {
    await eventually(`the guest at ${member.session.own}`, async () => guests(member).length > 0 || undefined);
    expect(guests(member)).toEqual(['good evening ö']);
  }
  const item = await share(ana, id, 'beach.mp4');
  await eventually('the item', async () => ben.session.storage.items.get(item));
  const lines = ben.session.storage.messages.newest(id, 100).filter(({ kind }) => kind === 'item');
  expect(lines).toMatchObject([{ itemId: item, from: ana.session.own, text: '📎 beach.mp4 · 120 kB' }]);
  await hears('📎 beach.mp4 · 120 kB');
}

async function share({ session, feed }: RawMember, sphereId: SphereId, name: string): Promise<ItemId> {
  const folder = await mkdtemp(join(tmpdir(), 'spherecast-interop-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  await writeFile(path, Buffer.alloc(120_000, 7));
  session.scope.spawn('swarm', (signal) => feed.attach(new FakeSwarm().calls, signal));
  const [item] = await session.shares.share({ sphereId, paths: [path], plain: false }, soon());
  if (item === undefined) throw new Error('nothing was shared');
  return item;
}

/** What two people say to each other outside any sphere: they meet, talk, answer, change, sign and take back. */
async function talkAlone({ session: ana }: RawMember, { session: ben }: RawMember): Promise<void> {
  const line = (at: AccountSession, from: AccountSession, isWanted: (row: DirectMessageRow) => boolean) =>
    eventually(`the line at ${at.own}`, async () => at.storage.directMessages.newest(from.own, 50).find(isWanted));
  const isFriend = async ({ people }: AccountSession, { own }: AccountSession): Promise<true | undefined> =>
    people.contacts.get(own)?.subscription === 'both' && people.contacts.isOnline(own) ? true : undefined;

  await ana.people.contacts.add(ben.own, { name: null }, soon());
  await eventually('ben is asked', async () => ben.people.contacts.get(ana.own)?.wants === true || undefined);
  await ben.people.contacts.add(ana.own, { name: null }, soon());
  await eventually('they see each other', async () => (await isFriend(ana, ben)) && (await isFriend(ben, ana)));

  const { id } = ana.people.talk.say(ben.own, 'helo alone');
  const heard = await line(ben, ana, ({ text }) => text === 'helo alone');
  await line(ana, ben, (row) => row.id === id && row.state === 'delivered');
  ben.people.talk.markRead(ana.own);
  await line(ana, ben, (row) => row.id === id && row.state === 'seen');
  ana.people.talk.edit(id, 'hello alone');
  await line(ben, ana, (row) => row.id === heard.id && row.text === 'hello alone' && row.change === 'edited');
  ben.people.talk.say(ana.own, 'yes', heard.id);
  await line(ana, ben, ({ text, replyTo }) => text === 'yes' && replyTo === id);
  ben.people.talk.react(heard.id, ['🎉']);
  await line(ana, ben, (row) => row.id === id && row.signs?.theirs.includes('🎉') === true);
  ana.people.talk.retract(id);
  await line(ben, ana, (row) => row.id === heard.id && row.change === 'retracted' && row.text === '');
}

test.skipIf(!hasEjabberd())('a sphere lives on ejabberd, and a talk', { timeout: 2 * LONG_MS }, async () => {
  await using server = await startEjabberd();
  expect((await liveTogether(server, server)).toSorted()).toEqual(SAID.toSorted());
  const { client } = (await member(server, 'cleo')).session;
  const facts = await askServer({ ...machine, client, named: server.host, note: memoryNote() }, soon());
  expect(facts).toMatchObject({ software: 'ejabberd', resumes: true });
  // This ejabberd binds no TLS 1.3, and names no relay; whether records lead to it was not asked.
  const rest = facts?.abilities.filter(({ has }) => has !== true).map(({ name }) => name);
  expect(rest).toEqual(['channel-binding', 'starttls-record', 'direct-tls-record', 'relays']);
});

test('a sphere lives across two servers, and a talk', { timeout: 2 * LONG_MS }, async () => {
  await using servers = await startFederation();
  expect((await liveTogether(servers.here, servers.there)).toSorted()).toEqual(SAID.toSorted());
});

test('a program of another version than the one these tests are about is named, and one with other patches is not', () => {
  expect(() => knownVersion('ejabberd', '23.01', '23.01-1+deb12u2')).not.toThrow();
  expect(() => knownVersion('profanity', '0.13', 'Profanity, version 0.13.1\nCopyright 2012')).not.toThrow();
  expect(() => knownVersion('ejabberd', '23.01', '23.10')).toThrow('for ejabberd 23.01, and this one is 23.10');
  expect(() => knownVersion('profanity', '0.13', 'Profanity, version 0.130')).toThrow('this one is 0.130');
  expect(() => knownVersion('profanity', '0.13', 'Profanity')).toThrow('of no known version');
});
