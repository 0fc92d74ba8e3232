import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeTestCa } from '../fixtures/certificates.ts';
import { FAKE_ACCOUNT, FAKE_DOMAIN, FAKE_FULL_JID, type FakeServer } from '../fixtures/fake-xmpp-server.ts';
import { FAKE_PASSWORD, FakeXmppWorld, hastyMachine, keptLog } from '../fixtures/fake-xmpp-world.ts';
import { codeOf, never, until } from '../fixtures/xmpp-accounts.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import type { XmppState } from '../../src/xmpp/port.ts';
import { registerAccount } from '../../src/xmpp/register.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Nothing that could help to guess the password: neither itself nor a proof made with it. */
function expectNoPassword(server: FakeServer): void {
  for (const bytes of [server.plainBytes(), server.secureBytes()]) {
    expect(bytes).not.toContain('<auth');
    expect(bytes).not.toContain(FAKE_PASSWORD);
    expect(bytes).not.toContain(Buffer.from(`\0romeo\0${FAKE_PASSWORD}`).toString('base64'));
    expect(bytes).not.toContain('romeo');
  }
}

describe('no password byte leaves', () => {
  test.each([
    ['STARTTLS taken out', { startTls: 'strip' }, 'tls-required'],
    ['STARTTLS refused', { startTls: 'refuse' }, 'tls-required'],
    ['plain data after STARTTLS', { startTls: 'inject' }, 'tls-required'],
    ['a stream error before TLS', { greeting: '<oops>' }, 'server-unreachable'],
  ] as const)('to a server with %s', async (_, options, code) => {
    const server = await world.serve(options);
    expect(await codeOf((await world.clientOf(server)).connect(never))).toBe(code);
    expectNoPassword(server);
  });

  test('to a plain server on the port of direct TLS', async () => {
    const server = await world.serve();
    expect(await codeOf((await world.clientOf(server, { directTls: true })).connect(never))).toBe('tls-required');
    expectNoPassword(server);
  });

  describe.each([
    ['STARTTLS', false],
    ['direct TLS', true],
  ])('over %s', (_, directTls) => {
    test('to a certificate of another name', async () => {
      const server = await world.serve({
        directTls,
        certificate: await world.ca.issue(['localhost', '127.0.0.1', 'b.test']),
      });
      expect(await codeOf((await world.clientOf(server, { directTls })).connect(never))).toBe('bad-certificate');
      expectNoPassword(server);
    });

    test('to an authority that is not trusted', async () => {
      const server = await world.serve({ directTls });
      expect(await codeOf((await world.clientOf(server, { directTls, trust: false })).connect(never))).toBe(
        'bad-certificate',
      );
      expectNoPassword(server);
    });

    test('to an expired certificate', async () => {
      await using other = await makeTestCa();
      const { folder } = other;
      const server = await world.serve({
        directTls,
        certificate: await world.ca.issue([FAKE_DOMAIN], { folder, expired: true }),
      });
      expect(await codeOf((await world.clientOf(server, { directTls })).connect(never))).toBe('bad-certificate');
      expectNoPassword(server);
    });

    test('but the right server gets it', async () => {
      const server = await world.serve({ directTls });
      const client = await world.clientOf(server, { directTls });
      await client.connect(never);
      expect(client.fullJid).toBe(FAKE_FULL_JID);
      expect(server.plainBytes()).not.toContain('<auth');
    });
  });

  test('to a server that never says a word', async () => {
    const heard: Buffer[] = [];
    const silent = net.createServer((socket) =>
      socket.on('data', (data) => heard.push(data)).on('error', () => undefined),
    );
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await codeOf((await world.clientOf({ host: '127.0.0.1', port })).connect(never))).toBe('server-unreachable');
    expect(Buffer.concat(heard).toString()).not.toContain('romeo');
  });

  test('when an account is created', async () => {
    const server = await world.serve({ startTls: 'strip' });
    const login = { jid: parseBareJid(FAKE_ACCOUNT), password: FAKE_PASSWORD, server };
    expect(await codeOf(registerAccount(login, hastyMachine, never))).toBe('tls-required');
    expectNoPassword(server);
  });
});

describe('who may say what', () => {
  const NS_FORWARD = "xmlns='urn:xmpp:forward:0'";
  const inner = "<message xmlns='jabber:client' from='romeo@a.test/x' to='juliet@a.test'><body>forged</body></message>";
  const carbon = (from: string): string =>
    `<message ${from} to='${FAKE_FULL_JID}'><sent xmlns='urn:xmpp:carbons:2'><forwarded ${NS_FORWARD}>${inner}</forwarded></sent></message>`;
  const result = (from: string, queryId: string): string =>
    `<message ${from}><result xmlns='urn:xmpp:mam:2' queryid='${queryId}' id='1'><forwarded ${NS_FORWARD}>${inner}</forwarded></result></message>`;

  test.each([
    ['a carbon from somebody else', carbon("from='mallory@evil.test'")],
    ['a carbon from our server', carbon("from='a.test'")],
    ['a carbon from another device of ours', carbon("from='romeo@a.test/other'")],
    ['an archive result that nobody asked for', result("from='romeo@a.test'", 'unknown')],
    ['a live archive result from somebody else', result("from='mallory@evil.test'", 'live')],
    ['a live archive result from an occupant', result("from='room@rooms.a.test/nick'", 'live')],
    ['a message to somebody else', "<message from='a@b.test' to='juliet@a.test'><body>forged</body></message>"],
    ['a message in another namespace', "<message xmlns='jabber:server' from='a@b.test'><body>forged</body></message>"],
  ])('%s is shown to nobody', async (_, forged) => {
    const server = await world.serve();
    const { log, entries } = keptLog();
    const client = await world.clientOf(server, { log });
    const seen: string[] = [];
    client.onStanza.on((stanza) => seen.push(stanza.toString()));
    await client.connect(never);
    using _query = client.openArchiveQuery('room@rooms.a.test', 'live', (message) => seen.push(message.toString()));
    server.push(`${forged}<message from='a@b.test'><body>last</body></message>`);
    await until(() => seen.length > 0, 'the last message');
    expect(seen).toHaveLength(1);
    expect(seen[0]).toContain('last');
    expect(entries.filter(({ text }) => text === 'stanza refused')).toHaveLength(1);
  });

  test('a thousand refused stanzas do not fill the log', async () => {
    const server = await world.serve();
    const { log, entries } = keptLog();
    const client = await world.clientOf(server, { log });
    const seen: Element[] = [];
    client.onStanza.on((stanza) => seen.push(stanza));
    await client.connect(never);
    server.push(`${carbon("from='mallory@evil.test'").repeat(1000)}<message from='a@b.test'/>`);
    await until(() => seen.length > 0, 'the last message');
    const refusals = entries.filter(({ text }) => text === 'stanza refused').map(({ fields }) => fields['count']);
    expect(refusals).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  });

  test('a carbon of our own account and a result of the asked archive arrive', async () => {
    const server = await world.serve();
    const client = await world.clientOf(server);
    const seen: string[] = [];
    client.onStanza.on(() => seen.push('carbon'));
    await client.connect(never);
    using _query = client.openArchiveQuery('room@rooms.a.test', 'live', () => seen.push('result'));
    server.push(carbon("from='romeo@a.test'") + result("from='room@rooms.a.test'", 'live') + carbon(''));
    await until(() => seen.length === 3, 'three stanzas');
    expect(seen).toEqual(['carbon', 'result', 'carbon']);
  });

  test('an answer counts only from the asked address and with the right id', async () => {
    const answers = (id: string): string =>
      [
        `<iq type='result' id='${id}' from='mallory@evil.test' to='${FAKE_FULL_JID}'><q xmlns='urn:forged'/></iq>`,
        `<iq type='result' id='${id}' from='juliet@a.test' to='${FAKE_FULL_JID}'><q xmlns='urn:forged'/></iq>`,
        `<iq type='result' id='${id}' to='${FAKE_FULL_JID}'><q xmlns='urn:forged'/></iq>`,
        `<iq type='result' id='guess' from='juliet@a.test/home'><q xmlns='urn:forged'/></iq>`,
        `<iq type='result' id='${id}' from='Juliet@A.test/home' to='${FAKE_FULL_JID}'><q xmlns='urn:true'/></iq>`,
      ].join('');
    const server = await world.serve({
      answer: (stanza, id) => (stanza.includes('urn:ask') ? answers(id) : undefined),
    });
    const client = await world.clientOf(server);
    await client.connect(never);
    const answer = await client.iq('get', 'juliet@a.test/home', xml('q', { xmlns: 'urn:ask' }), never);
    expect(answer.getChild('q')?.getNS()).toBe('urn:true');
  });

  test('an error answer keeps its condition', async () => {
    const error = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    const server = await world.serve({ answer: (_, id) => `<iq type='error' id='${id}' from='a.test'>${error}</iq>` });
    const client = await world.clientOf(server);
    await client.connect(never);
    await expect(client.iq('get', 'a.test', xml('q', { xmlns: 'urn:ask' }))).rejects.toMatchObject({
      code: 'not-allowed',
      details: { condition: 'forbidden', type: 'auth' },
    });
  });
});

describe('a hostile server', () => {
  test.each([
    ['an unknown reference', '<message>&bomb;</message>'],
    ['a document type', '<!DOCTYPE x>'],
    ['an extra end tag', '</message></message>'],
    ['more after the end of the stream', '</stream:stream><message/>'],
    ['broken UTF-8', Buffer.from([0x3c, 0x6d, 0xff, 0xfe])],
    ['a stanza without end', `<message>${'x'.repeat(2_000_000)}`],
    [
      'a redirection',
      "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>evil.test</see-other-host></stream:error>",
    ],
    ['an empty stream error', '<stream:error/>'],
    [
      'an unasked acknowledgement',
      "<a xmlns='urn:xmpp:sm:3' h='4000000'/><message from='broken@@@/'/></stream:stream>",
    ],
    ['an unasked failure', "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:stream>"],
  ])('that sends %s ends the connection and not the process', async (_, hostile) => {
    const server = await world.serve({ streamManagement: true });
    const client = await world.clientOf(server);
    const states: string[] = [];
    client.onState.on((state: XmppState) => states.push(state.kind));
    await client.connect(never);
    server.push(hostile);
    await until(() => states.includes('offline'), 'offline');
    server.push('<message>late');
    await until(() => server.signIns === 2, 'signed in again');
    expect(client.state.kind === 'online' || client.state.kind === 'connecting').toBe(true);
  });

  test('that answers over the limits fails the request and not the connection', async () => {
    const deep = '<x>'.repeat(100) + '</x>'.repeat(100);
    const server = await world.serve({ answer: (_, id) => `<iq type='result' id='${id}' from='a.test'>${deep}</iq>` });
    const client = await world.clientOf(server);
    await client.connect(never);
    expect(await codeOf(client.iq('get', 'a.test', xml('q', { xmlns: 'urn:ask' })))).toBe('too-large');
    expect(client.state.kind).toBe('online');
  });
});

describe('sending', () => {
  test('is refused while there is no connection', async () => {
    const client = await world.clientOf(await world.serve());
    expect(await codeOf(client.send(xml('message')))).toBe('disconnected');
    expect(await codeOf(client.iq('get', undefined, xml('q', { xmlns: 'urn:ask' })))).toBe('disconnected');
  });

  test.each([
    ['too large for servers', 'x'.repeat(300_000), 'too-large'],
    ['with a control character', '\u0001', 'bad-input'],
    ['with half a character', '\uD83C', 'bad-input'],
  ])('a stanza %s is refused before it ends the stream', async (_, text, code) => {
    const client = await world.clientOf(await world.serve());
    await client.connect(never);
    expect(await codeOf(client.send(xml('message', {}, xml('body', {}, text))))).toBe(code);
    expect(client.state.kind).toBe('online');
  });

  test('a stanza without an acknowledgement from the server is not confirmed', async () => {
    const server = await world.serve({
      streamManagement: true,
      answer: (stanza) => (stanza.includes('second') ? "<a xmlns='urn:xmpp:sm:3' h='2'/>" : undefined),
    });
    const client = await world.clientOf(server);
    await client.connect(never);
    const order: string[] = [];
    const first = client.sendConfirmed(xml('message', { id: 'first' })).then(() => order.push('first'));
    await sleep(100);
    order.push('still waiting');
    await client.sendConfirmed(xml('message', { id: 'second' }));
    await first;
    expect(order).toEqual(['still waiting', 'first']);
  });
});
