import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeSwarm } from '../../test/fixtures/fake-swarm.ts';
import { manyFiles } from '../../test/fixtures/many-files.ts';
import { mediaOfNothing } from '../../test/fixtures/media-of-nothing.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import type { AppEvent } from '../contract/views.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { Omemo } from '../omemo/omemo.ts';
import { MediaServer } from '../player/media-server.ts';
import { SwarmFeed } from '../spheres/swarm-feed.ts';
import { createSecretBox } from '../storage/secret-box.ts';
import { openStorage } from '../storage/storage.ts';
import { AccountHolder } from './account-holder.ts';
import { changeAccount } from './change-account.ts';
import { Onlookers } from './onlookers.ts';
import { nodeLauncher } from './process-launcher.ts';
import { locateProfile, readConfig } from './profile.ts';
import { renameAccount } from './rename-account.ts';
import { noteMoved } from './signed-in.ts';
import { ViewSource } from './view-source.ts';

const jid = parseBareJid('ana@home.invalid');
const { signal } = new AbortController();
/** Nothing listens there. */
const server = '127.0.0.1:1';

/** A holder over a profile in which, with `password`, an account was signed in before. */
async function holderWith(options: { password?: string; openOmemo?: typeof Omemo.open } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'spherecast-holder-'));
  const profile = locateProfile(folder);
  const masterKey = { key: systemRandom(32), keptIn: 'keychain', isNew: false } as const;
  const accountFolder = path.join(profile.accountsFolder, encodeURIComponent(jid));
  const openDatabase = () =>
    openStorage({
      path: path.join(accountFolder, 'spherecast.db'),
      secretBox: createSecretBox({ masterKey: masterKey.key, random: systemRandom }),
      clock: systemClock,
      log: silentLogger,
    });
  await mkdir(accountFolder, { recursive: true });
  const note = path.join(profile.accountsFolder, 'signed-in.json');
  if (options.password !== undefined) {
    using storage = openDatabase();
    storage.account.put({ jid, password: options.password, server, ca: null });
    await writeFile(note, JSON.stringify({ jid }));
  }
  const machine = { clock: systemClock, random: systemRandom, log: silentLogger };
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
  const swarm = new FakeSwarm();
  const end = new AbortController();
  const attached = feed.attach(swarm.calls, end.signal).catch(() => undefined);
  const views = new ViewSource({ ...machine, feed });
  const holder = new AccountHolder({
    ...machine,
    profile,
    config: readConfig(profile),
    masterKey,
    launcher: nodeLauncher,
    media: new MediaServer(machine),
    origin: () => 'http://127.0.0.1:0',
    feed,
    mediaTools: mediaOfNothing,
    files: manyFiles(),
    views,
    onlookers: new Onlookers(),
    openOmemo: options.openOmemo ?? ((deps) => Omemo.open(deps)),
  });
  onTestFinished(async () => {
    await holder[Symbol.asyncDispose]();
    end.abort(new Error('over'));
    await attached;
    rmSync(folder, { recursive: true, force: true });
  });
  return { holder, swarm, feed, views, openDatabase, note };
}

test('nobody is signed in on a new profile', async () => {
  const { holder, views } = await holderWith();
  await holder.resume();
  expect(() => holder.session).toThrow(/nobody is signed in/);
  expect(views.account()).toBeNull();
});

test('the account of the last run is there at once, without a network', async () => {
  const { holder, swarm, views } = await holderWith({ password: 'first' });
  await holder.resume();
  expect(holder.session.own).toBe(jid);
  expect(views.account()?.jid).toBe(jid);
  expect(swarm.names()).toContain('start');
});

test.each([
  ['before it was noted who is signed in', { jid }],
  ['before the folder had its new name', { jid: parseBareJid('ana@new.invalid'), movedFrom: jid }],
])('a move that was cut off %s is at its end after the next start, with all that was there', async (_when, noted) => {
  const { holder, openDatabase, note } = await holderWith({ password: 'first' });
  const to = parseBareJid('ana@new.invalid');
  {
    using storage = openDatabase();
    storage.settings.set('kept', 'yes');
    changeAccount(storage, jid, { jid: to, password: 'second', server, ca: null });
  }
  await writeFile(note, JSON.stringify(noted));
  await holder.resume();
  expect(holder.session.own).toBe(to);
  expect(holder.session.storage.settings.get('kept', String)).toBe('yes');
  expect(JSON.parse(readFileSync(note, 'utf8'))).toEqual({ jid: to });
});

test('a move that was cut off between the new name of the folder and the new account has not happened after the next start', async () => {
  const { holder, openDatabase, note } = await holderWith({ password: 'first' });
  {
    using storage = openDatabase();
    storage.settings.set('kept', 'yes');
  }
  await noteMoved(path.dirname(note), jid, parseBareJid('ana@new.invalid'));
  await holder.resume();
  expect(holder.session.own).toBe(jid);
  expect(holder.session.storage.settings.get('kept', String)).toBe('yes');
  expect(JSON.parse(readFileSync(note, 'utf8'))).toEqual({ jid });
});

test('a move to an account whose name no folder can have is told, and leaves the account as it was', async () => {
  const { holder, openDatabase, note } = await holderWith({ password: 'first' });
  {
    using storage = openDatabase();
    storage.settings.set('kept', 'yes');
  }
  // Each letter takes six bytes in the name of a folder, of which there may be 255.
  const to = parseBareJid(`${'ж'.repeat(60)}@new.invalid`);
  const deps = { accountsFolder: path.dirname(note), openStorage: () => Promise.resolve(openDatabase()) };
  const account = { jid: to, password: 'second', server, ca: null };
  await expect(renameAccount(deps, jid, account)).rejects.toMatchObject({ code: 'disk-error' });
  await holder.resume();
  expect(holder.session.own).toBe(jid);
  expect(holder.session.storage.account.get()?.password).toBe('first');
  expect(holder.session.storage.settings.get('kept', String)).toBe('yes');
});

test('a move that fails before everybody was told leaves the account as it was', async () => {
  const { holder } = await holderWith({ password: 'first' });
  await holder.resume();
  const login = { password: 'second', register: false, server };
  const move = (to: string, isLost: boolean): Promise<void> =>
    holder.move({ jid: parseBareJid(to), ...login, isLost }, signal);
  await expect(move('ana@new.invalid', false)).rejects.toMatchObject({ code: 'disconnected' });
  await expect(move('ana@new.invalid', true)).rejects.toMatchObject({ code: 'server-unreachable' });
  await expect(move(jid, true)).rejects.toMatchObject({ code: 'conflict' });
  expect(holder.session.own).toBe(jid);
  expect(holder.session.storage.account.get()?.password).toBe('first');
});

test('a damaged note of who is signed in does not make the account disappear', async () => {
  const { holder, note } = await holderWith({ password: 'first' });
  await writeFile(note, '{"jid":"ana@ho');
  await holder.resume();
  expect(holder.session.own).toBe(jid);
});

test('a sign-in that fails keeps the former account and its password', async () => {
  const { holder, swarm } = await holderWith({ password: 'first' });
  await holder.resume();
  const attempt = holder.signIn({ jid, password: 'second', register: false, server }, signal);
  await expect(attempt).rejects.toMatchObject({ code: 'server-unreachable' });
  expect(holder.session.storage.account.get()?.password).toBe('first');
  // The swarm was stopped in between and runs as this device again.
  expect(
    swarm
      .names()
      .filter((name) => name === 'start' || name === 'stop')
      .at(-1),
  ).toBe('start');
});

test('a sign-in that fails for want of safe encryption keeps the former account', async () => {
  let isSafe = true;
  const openOmemo: typeof Omemo.open = (deps) =>
    isSafe ? Omemo.open(deps) : Promise.reject(new AppError('encryption-unsafe', 'forgeries are accepted'));
  const { holder } = await holderWith({ password: 'first', openOmemo });
  await holder.resume();
  isSafe = false;
  const attempt = holder.signIn({ jid, password: 'second', register: false, server }, signal);
  await expect(attempt).rejects.toMatchObject({ code: 'encryption-unsafe' });
  isSafe = true;
  await holder.resume();
  expect(holder.session.storage.account.get()?.password).toBe('first');
});

test('a first sign-in that fails leaves nobody signed in', async () => {
  const { holder, feed, openDatabase } = await holderWith();
  const attempt = holder.signIn({ jid, password: 'first', register: false, server }, signal);
  await expect(attempt).rejects.toMatchObject({ code: 'server-unreachable' });
  expect(() => holder.session).toThrow(/nobody is signed in/);
  expect(feed.running).toBe(false);
  using storage = openDatabase();
  expect(storage.account.get()).toBeUndefined();
});

test('another account has to be signed out of first', async () => {
  const { holder } = await holderWith({ password: 'first' });
  await holder.resume();
  const other = { jid: parseBareJid('ben@home.invalid'), password: 'x', register: false, server };
  await expect(holder.signIn(other, signal)).rejects.toMatchObject({ code: 'account-exists' });
  expect(holder.session.own).toBe(jid);
});

test('signing out forgets the password, ends the swarm and stays so after a restart', async () => {
  const { holder, swarm, views, openDatabase, note } = await holderWith({ password: 'first' });
  await holder.resume();
  await holder.signOut();
  expect(views.account()).toBeNull();
  expect(swarm.names().at(-1)).toBe('stop');
  expect(JSON.parse(readFileSync(note, 'utf8'))).toEqual({ jid: null });
  {
    using storage = openDatabase();
    expect(storage.account.get()).toBeUndefined();
    expect(storage.identity.get()).toBeDefined();
  }
  await holder.resume();
  expect(() => holder.session).toThrow(/nobody is signed in/);
  await expect(holder.signOut()).rejects.toMatchObject({ code: 'no-account' });
});

test('after signing out nothing of that account is told any more, and signing out leaves no connection behind', async () => {
  const { holder, views } = await holderWith({ password: 'first' });
  await holder.resume();
  const { session } = holder;
  const events: AppEvent[] = [];
  views.onEvent.on((event) => events.push(event));
  await holder.signOut();
  expect(events.at(-1)).toEqual({ kind: 'account', account: null });
  expect(session.scope.signal.aborted).toBe(true);
  expect(session.client.state.kind).toBe('offline');
  const told = events.length;
  session.onInvitation.emit('an invitation');
  session.client.onState.emit({ kind: 'online', resumed: false });
  session.rooms.onPresence.emit(jid);
  session.shares.onJob.emit({} as never);
  expect(events).toHaveLength(told);
  expect(views.snapshot()).toMatchObject({ account: null, spheres: [], invitations: [], jobs: [] });
});

test.each(['nonsense', 'host:', 'host:0', 'host:70000', ':5222', '[::1'])('%s is no server', async (text) => {
  const { holder } = await holderWith();
  const attempt = holder.signIn({ jid, password: 'x', register: false, server: text }, signal);
  await expect(attempt).rejects.toMatchObject({ code: 'bad-input' });
});

test('a certificate file that cannot be read is named', async () => {
  const { holder } = await holderWith();
  const caFile = path.join(tmpdir(), 'no such authority.pem');
  const attempt = holder.signIn({ jid, password: 'x', register: false, server, caFile }, signal);
  await expect(attempt).rejects.toMatchObject({
    code: 'file-missing',
    message: expect.stringContaining('no such authority.pem') as string,
  });
});

test.each(['xmpp:other.invalid?register;preauth=T', 'xmpp:ben@home.invalid?register;preauth=T', 'no link'])(
  'the invitation %s is for nobody of this address, and no server is asked',
  async (invitation) => {
    const { holder } = await holderWith();
    const asked = { jid, password: 'pw', register: true, server, invitation };
    await expect(holder.signIn(asked, signal)).rejects.toMatchObject({ code: 'invitation-invalid' });
  },
);

test('password and account are out of reach for whoever does not know the password', async () => {
  const { holder } = await holderWith({ password: 'first' });
  await holder.resume();
  const change = holder.changePassword({ current: 'guess', password: 'second' }, signal);
  await expect(change).rejects.toMatchObject({ code: 'wrong-password' });
  await expect(holder.deleteAccount({ password: 'guess' }, signal)).rejects.toMatchObject({ code: 'wrong-password' });
  expect(holder.session.own).toBe(jid);
});

test('a password that the server did not take is not kept either, nor is an account forgotten that it did not delete', async () => {
  const { holder } = await holderWith({ password: 'first' });
  await holder.resume();
  const change = holder.changePassword({ current: 'first', password: 'second' }, signal);
  await expect(change).rejects.toMatchObject({ code: 'disconnected' });
  expect(holder.session.storage.account.get()?.password).toBe('first');
  await expect(holder.deleteAccount({ password: 'first' }, signal)).rejects.toMatchObject({ code: 'disconnected' });
  expect(holder.session.storage.account.get()?.jid).toBe(jid);
});
