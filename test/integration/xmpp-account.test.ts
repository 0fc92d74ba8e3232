import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readXmppUri } from '../../src/base/xmpp-uri.ts';
import type { SrvRecord } from '../../src/xmpp/server-address.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { xml } from '../../src/xmpp/element.ts';
import { checkServer } from '../../src/xmpp/features.ts';
import { registerAccount } from '../../src/xmpp/register.ts';
import { changePassword, removeOwnAccount } from '../../src/xmpp/xep/0077-own-account.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import { FakeXmppWorld, keptLog } from '../fixtures/fake-xmpp-world.ts';
import { freePort } from '../fixtures/free-port.ts';
import { type Prosody, startProsody } from '../fixtures/prosody.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import { codeOf, loginAt, machine as base, never } from '../fixtures/xmpp-accounts.ts';

let server: Prosody;

beforeAll(async () => {
  server = await startProsody({ users: { romeo: 'päss wörd' } });
});
afterAll(async () => {
  await server.stop();
});

describe('signing in', () => {
  test.each([
    ['STARTTLS', false],
    ['direct TLS', true],
  ])('works over %s', async (_, directTls) => {
    await using client = new XmppClient({ ...base, login: await loginAt(server, 'romeo', 'päss wörd', directTls) });
    await client.connect(never);
    expect(client.state).toEqual({ kind: 'online', resumed: false });
    expect(client.fullJid.startsWith('romeo@a.test/')).toBe(true);
  });

  test('a wrong password is named and not tried again', async () => {
    await using client = new XmppClient({ ...base, login: await loginAt(server, 'romeo', 'wrong') });
    expect(await codeOf(client.connect(never))).toBe('wrong-password');
    expect(client.state.kind).toBe('failed');
  });

  test('an account that does not exist looks like a wrong password', async () => {
    await using client = new XmppClient({ ...base, login: await loginAt(server, 'nobody', 'x') });
    expect(await codeOf(client.connect(never))).toBe('wrong-password');
  });

  test('a server that is not there is named', async () => {
    const login = await loginAt(server, 'romeo', 'päss wörd');
    const port = await freePort();
    await using client = new XmppClient({ ...base, login: { ...login, server: { host: '127.0.0.1', port } } });
    expect(await codeOf(client.connect(never))).toBe('server-unreachable');
  });

  test.each([
    ['STARTTLS', false],
    ['direct TLS', true],
  ])('an authority that is not trusted is refused over %s', async (_, directTls) => {
    const login = await loginAt(server, 'romeo', 'päss wörd', directTls);
    await using client = new XmppClient({ ...base, login: { ...login, ca: undefined } });
    expect(await codeOf(client.connect(never))).toBe('bad-certificate');
  });

  test('cancelling ends the attempt', async () => {
    await using client = new XmppClient({ ...base, login: await loginAt(server, 'romeo', 'päss wörd') });
    const cancel = new AbortController();
    const connecting = client.connect(cancel.signal);
    cancel.abort();
    expect(await codeOf(connecting)).toBe('cancelled');
  });
});

describe('finding the server by the records of its domain', () => {
  const at = (port: number, priority: number): SrvRecord => ({ name: '127.0.0.1', port, priority, weight: 1 });
  const resolver = (records: { readonly directTls: SrvRecord; readonly startTls: SrvRecord }) => async (name: string) =>
    name === '_xmpps-client._tcp.a.test' ? [records.directTls] : [records.startTls];

  test.each(['STARTTLS', 'direct TLS'])('signs in over %s when the place before it is dead', async (mode) => {
    const { log, entries } = keptLog();
    const dead = await freePort();
    const records =
      mode === 'STARTTLS'
        ? { directTls: at(dead, 1), startTls: at(server.c2sPort, 2) }
        : { startTls: at(dead, 1), directTls: at(server.directTlsPort, 2) };
    const login = { ...(await loginAt(server, 'romeo', 'päss wörd')), server: undefined };
    await using client = new XmppClient({ ...base, log, login, resolver: resolver(records) });
    await client.connect(never);
    expect(client.state.kind).toBe('online');
    expect(entries.filter(({ level }) => level === 'warn').map(({ fields }) => fields?.['port'])).toEqual([dead]);
  });

  test.each([
    ['of the domain is let in, whatever host the records name, over STARTTLS', 'a.test', false, 'no error'],
    ['of the domain is let in, whatever host the records name, over direct TLS', 'a.test', true, 'no error'],
    ['of the host that the records name is refused over STARTTLS', '127.0.0.1', false, 'bad-certificate'],
    ['of the host that the records name is refused over direct TLS', '127.0.0.1', true, 'bad-certificate'],
  ])('a certificate %s', async (_, name, directTls, code) => {
    await using world = await FakeXmppWorld.open();
    const { port } = await world.serve({ certificate: await world.ca.issue([name]), directTls });
    const dead = await freePort();
    const records = directTls
      ? { directTls: at(port, 1), startTls: at(dead, 2) }
      : { startTls: at(port, 1), directTls: at(dead, 2) };
    const login = { ...(await loginAt(server, 'romeo', 'pw')), server: undefined };
    const ca = [await readFile(world.ca.certFile, 'utf8')];
    await using client = new XmppClient({ ...base, login: { ...login, ca }, resolver: resolver(records) });
    expect(await codeOf(client.connect(never))).toBe(code);
  });
});

describe('creating an account', () => {
  test('the new account can sign in, and its name is taken from then on', async () => {
    const login = await loginAt(server, 'juliet', 'secret & <more>');
    await registerAccount(login, base, never);
    await using client = new XmppClient({ ...base, login });
    await client.connect(never);
    expect(await codeOf(registerAccount(login, base, never))).toBe('name-taken');
  });

  test('a server that creates no accounts is named', async () => {
    await using closed = await startProsody({ registration: false });
    expect(await codeOf(registerAccount(await loginAt(closed, 'juliet', 'pw'), base, never))).toBe(
      'registration-refused',
    );
  });
});

describe('creating an account with an invitation', () => {
  let inviting: Prosody;
  beforeAll(async () => {
    const globalLines = 'registration_invite_only = true\nadmins = { "ben@a.test" }';
    inviting = await startProsody({ modules: ['invites', 'invites_register', 'invites_adhoc'], globalLines });
  });
  afterAll(() => inviting.stop());

  test('a server that lets in only who was invited takes a token once', async () => {
    const token = await inviting.invite();
    const login = await loginAt(inviting, 'juliet', 'pw');
    expect(await codeOf(registerAccount(login, base, never))).toBe('registration-refused');
    await registerAccount({ ...login, token }, base, never);
    await using client = new XmppClient({ ...base, login });
    await client.connect(never);
    const second = { ...(await loginAt(inviting, 'romeo', 'pw')), token };
    expect(await codeOf(registerAccount(second, base, never))).toBe('invitation-invalid');
  });

  test.each([
    ['of somebody who may invite to the server', 'ben', { subscription: 'both', standing: 'contact' }],
    // Prosody 0.12 does not know its own token again.
    ['of anybody else', 'cleo', { subscription: 'none', standing: 'request', wants: true }],
  ])('a link %s puts whoever follows it on their list, or at their door', async (_, giver, expected) => {
    for (const user of [giver, 'ana']) await inviting.register(user, passwordOf(user));
    await using there = await RawMember.start(inviting, giver);
    await using ana = await RawMember.start(inviting, 'ana');
    const { client } = there.session;
    const ask = { xmlns: 'http://jabber.org/protocol/commands', node: 'urn:xmpp:invite#invite', action: 'execute' };
    const given = (await client.iq('set', client.domain, xml('command', ask))).toString();
    const link = readXmppUri(/>(xmpp:[^<]+)</.exec(given)?.[1] ?? '');
    expect(link).toMatchObject({ jid: client.jid, action: 'roster' });
    await ana.session.people.contacts.add(client.jid, { name: null, token: link?.preauth ?? '' }, never);
    const row = await eventually('the request or its answer', async () => {
      const found = there.session.people.contacts.get(ana.session.own);
      return found?.subscription === expected.subscription && found.standing === expected.standing ? found : undefined;
    });
    expect(row).toMatchObject(expected);
  });

  test('a token that nobody gave is told as such', async () => {
    const login = { ...(await loginAt(inviting, 'romeo', 'pw')), token: 'made up' };
    expect(await codeOf(registerAccount(login, base, never))).toBe('invitation-invalid');
  });
});

describe('what a server must have', () => {
  test('rooms and personal eventing are found', async () => {
    await using client = new XmppClient({ ...base, login: await loginAt(server, 'romeo', 'päss wörd') });
    await client.connect(never);
    expect(await checkServer(client, never)).toEqual({
      muc: 'rooms.a.test',
      pep: true,
      publishOptions: true,
      archive: true,
      carbons: true,
    });
  });

  test.each([
    ['rooms', { withoutMuc: true }, 'server-lacks-rooms'],
    ['personal eventing', { withoutPep: true }, 'server-lacks-pep'],
  ])('a server without %s is named', async (_, options, code) => {
    await using lacking = await startProsody({ ...options, users: { romeo: 'pw' } });
    await using client = new XmppClient({ ...base, login: await loginAt(lacking, 'romeo', 'pw') });
    await client.connect(never);
    expect(await codeOf(checkServer(client, never))).toBe(code);
  });
});

test('a server with TLS 1.2 gets a sign-in that is bound to the connection, and proves itself', async () => {
  const globalLines = 'c2s_ssl = { protocol = "tlsv1_2" }';
  await using older = await startProsody({ users: { romeo: 'pw' }, globalLines });
  await using client = new XmppClient({ ...base, login: await loginAt(older, 'romeo', 'pw') });
  await client.connect(never);
  expect(client.connection).toMatchObject({ tls: 'TLSv1.2', mechanism: 'SCRAM-SHA-1-PLUS' });
});

test('the password is changed and the account removed, by its own word', async () => {
  await server.register('juliet', 'first');
  const signInWith = async (password: string): Promise<XmppClient> => {
    const client = new XmppClient({ ...base, login: await loginAt(server, 'juliet', password) });
    onTestFinished(async () => await client[Symbol.asyncDispose]());
    await client.connect(never);
    return client;
  };
  const client = await signInWith('first');
  await changePassword(client, 'sécond <3');
  expect(await codeOf(signInWith('first'))).toBe('wrong-password');
  await removeOwnAccount(await signInWith('sécond <3'), never);
  expect(await codeOf(signInWith('sécond <3'))).toBe('wrong-password');
});
