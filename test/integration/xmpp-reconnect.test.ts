import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE_FULL_JID } from '../fixtures/fake-xmpp-server.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { freePort } from '../fixtures/free-port.ts';
import { codeOf, never, until } from '../fixtures/xmpp-accounts.ts';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { xml } from '../../src/xmpp/element.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A hasty clock, and each wait on it that began without a connection and was waited to its end. */
function pauses(isOffline: () => boolean): { readonly clock: Clock; readonly waited: readonly number[] } {
  const waited: number[] = [];
  const sleepLess: Clock['sleep'] = async (ms, signal) => {
    const counts = isOffline();
    await systemClock.sleep(ms / 10, signal);
    if (counts) waited.push(ms);
  };
  return { clock: { ...systemClock, sleep: sleepLess }, waited };
}

test('a broken connection is resumed, and what was not acknowledged is sent again', async () => {
  const server = await world.serve({ streamManagement: true });
  const client = await world.clientOf(server);
  const states: unknown[] = [];
  client.onState.on((state) => states.push(state.kind === 'online' ? `online ${state.resumed}` : state.kind));
  await client.connect(never);
  await client.send(xml('message', { id: 'precious', to: 'juliet@a.test' }));
  await until(() => server.secureBytes().includes('precious'), 'the message');
  server.cut();
  await until(() => states.at(-1) === 'online true', 'resumed');
  expect(states).toEqual(['connecting', 'online false', 'offline', 'connecting', 'online true']);
  await until(() => server.secureBytes().split('precious').length === 3, 'the message again');
  expect(client.fullJid).toBe(FAKE_FULL_JID);
});

test('a broken connection is made anew, with acknowledgements counted anew, by a server that acknowledges and cannot resume', async () => {
  const counted = "<a xmlns='urn:xmpp:sm:3' h='1'/>";
  const server = await world.serve({
    streamManagement: 'without-resumption',
    answer: (stanza) => (stanza.includes('confirmed') ? counted : undefined),
  });
  const client = await world.clientOf(server);
  const states: unknown[] = [];
  client.onState.on((state) => states.push(state.kind === 'online' ? `online ${state.resumed}` : state.kind));
  await client.connect(never);
  const lost = [1, 2, 3].map((id) => codeOf(client.sendConfirmed(xml('message', { id: `lost${id}` }))));
  await until(() => server.secureBytes().includes('lost3'), 'the messages');
  server.cut();
  expect(await Promise.all(lost)).toEqual(['disconnected', 'disconnected', 'disconnected']);
  await until(() => states.at(-1) === 'online false' && server.signIns === 2, 'signed in again');
  await client.sendConfirmed(xml('message', { id: 'confirmed' }));
  expect(states).toEqual(['connecting', 'online false', 'offline', 'connecting', 'online false']);
});

test('a connection that breaks while it is resumed is made anew, for nothing is known any more of what has arrived', async () => {
  const reset = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
  let resumptions = 0;
  const server = await world.serve({
    streamManagement: true,
    answerResume: () => {
      resumptions += 1;
      const resumed = `<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='${resumptions === 1 ? 0 : 9}'/>`;
      return resumptions === 1 ? resumed + reset : resumed;
    },
  });
  const client = await world.clientOf(server);
  await client.connect(never);
  const confirmed = codeOf(client.sendConfirmed(xml('message', { to: 'juliet@a.test', id: 'one' })));
  server.cut();
  await until(() => client.state.kind === 'online' && server.signIns === 3, 'signed in again');
  expect([client.state, resumptions]).toEqual([{ kind: 'online', resumed: false }, 1]);
  expect(await confirmed).toBe('disconnected');
});

test('a broken connection gives nothing away that came after its end: the server tells it again', async () => {
  const server = await world.serve({ streamManagement: true });
  const client = await world.clientOf(server);
  const seen: (string | null)[] = [];
  client.onStanza.on((stanza) => seen.push(stanza.getChildText('body')));
  await client.connect(never);
  const message = (text: string): string => `<message from='a@b.test'><body>${text}</body></message>`;
  server.push(`${message('before')}<stream:error><reset/></stream:error>${message('after')}`);
  await until(() => server.secureBytes().includes('<resume'), 'the resumption');
  expect(/<resume [^>]*h="(\d+)"/.exec(server.secureBytes())?.[1]).toBe('1');
  expect(seen).toEqual(['before']);
});

test('a broken connection is made anew when the server cannot resume, and requests under way fail', async () => {
  const server = await world.serve();
  const client = await world.clientOf(server);
  await client.connect(never);
  const request = codeOf(client.iq('get', 'a.test', xml('q', { xmlns: 'urn:ask' })));
  await until(() => server.secureBytes().includes('urn:ask'), 'the request');
  server.cut();
  expect(await request).toBe('disconnected');
  await until(() => client.state.kind === 'online', 'online');
  expect(client.state).toEqual({ kind: 'online', resumed: false });
});

test('a request is answered by the handler of the day, across connections', async () => {
  const server = await world.serve();
  const client = await world.clientOf(server);
  client.handleIq('get', 'urn:ask', 'q', (request) => xml('a', { xmlns: 'urn:ask', from: request.from }));
  await client.connect(never);
  const ask = "<iq type='get' id='7' from='a@b.test/c'><q xmlns='urn:ask'/></iq>";
  server.push(ask);
  await until(() => server.secureBytes().includes('from="a@b.test/c"'), 'the first answer');
  server.cut();
  await until(() => server.signIns === 2, 'signed in again');
  server.push(ask);
  await until(() => server.secureBytes().split('from="a@b.test/c"').length === 3, 'the second answer');
  expect(client.state.kind).toBe('online');
});

test('a broken connection is tried again and again until the server is back, for an account that is known to be good', async () => {
  const port = await freePort();
  const client = await world.clientOf({ host: '127.0.0.1', port });
  const states: string[] = [];
  client.onState.on((state) => states.push(state.kind === 'offline' ? `offline: ${state.error.code}` : state.kind));
  client.start();
  await until(() => states.length >= 6, 'three attempts');
  await world.serve({ port });
  client.retryNow();
  await until(() => client.state.kind === 'online', 'online');
  expect(states.slice(0, 4)).toEqual([
    'connecting',
    'offline: server-unreachable',
    'connecting',
    'offline: server-unreachable',
  ]);
});

test('a broken connection is not tried again once the server refuses the password', async () => {
  let refuses = false;
  const server = await world.serve({ refusesPassword: () => refuses });
  const client = await world.clientOf(server);
  await client.connect(never);
  refuses = true;
  server.cut();
  await until(() => client.state.kind === 'failed', 'failed');
  const attempts = server.secureBytes().split('<auth').length;
  await sleep(500);
  expect(server.secureBytes().split('<auth').length).toBe(attempts);
  expect(client.state).toMatchObject({ error: { code: 'wrong-password' } });
});

test('a server that refuses a good password for a moment is tried again after half an hour, and the refusal is told until then', async () => {
  let refuses = false;
  const server = await world.serve({ streamManagement: true, refusesPassword: () => refuses });
  const waits: number[] = [];
  let hour = Promise.withResolvers<void>();
  const patient: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      if (ms < 1_800_000) return systemClock.sleep(ms / 10, signal);
      waits.push(ms);
      return Promise.race([hour.promise, systemClock.sleep(ms, signal)]);
    },
  };
  const client = await world.clientOf(server, { clock: patient });
  const states: string[] = [];
  client.onState.on(({ kind }) => states.push(kind));
  await client.connect(never);
  refuses = true;
  server.cut();
  await until(() => waits.length === 1, 'the first pause');
  const first = hour;
  hour = Promise.withResolvers<void>();
  first.resolve();
  await until(() => waits.length === 2, 'the second pause');
  refuses = false;
  hour.resolve();
  await until(() => client.state.kind === 'online', 'online');
  expect(states).toEqual(['connecting', 'online', 'offline', 'connecting', 'failed', 'online']);
  expect(Math.max(...waits)).toBeLessThanOrEqual(3_600_000);
});

test('a connection that is in doubt and silent is made anew at once, one that answers is kept', async () => {
  let isSilent = false;
  const answer = (stanza: string, id: string): string | undefined =>
    stanza.includes('urn:xmpp:ping') && !isSilent ? `<iq type='result' from='a.test' id='${id}'/>` : undefined;
  const server = await world.serve({ streamManagement: true, answer });
  const { clock, waited } = pauses(() => states.at(-1) === 'offline');
  const client = await world.clientOf(server, { clock });
  const states: string[] = [];
  client.onState.on(({ kind }) => states.push(kind));
  await client.connect(never);
  client.checkNow();
  await until(() => server.secureBytes().includes('urn:xmpp:ping'), 'the question');
  await sleep(500);
  expect(states).toEqual(['connecting', 'online']);
  isSilent = true;
  client.checkNow();
  client.checkNow();
  await until(() => states.length > 2, 'offline');
  await until(() => client.state.kind === 'online', 'online');
  expect(waited).toEqual([]);
  expect(states).toEqual(['connecting', 'online', 'offline', 'connecting', 'online']);
});

test('a connection that breaks when it is asked whether it is still there is made anew at once', async () => {
  let isAsked = false;
  const server = await world.serve({
    answer: (stanza) => {
      if (stanza.includes('urn:xmpp:ping') && !isAsked) server.cut();
      isAsked ||= stanza.includes('urn:xmpp:ping');
      return undefined;
    },
  });
  const { clock, waited } = pauses(() => states.at(-1) === 'offline');
  const client = await world.clientOf(server, { clock });
  await client.connect(never);
  const states: string[] = [];
  client.onState.on(({ kind }) => states.push(kind));
  client.checkNow();
  await until(() => states.at(-1) === 'online', 'online');
  expect(states).toEqual(['offline', 'connecting', 'online']);
  expect(waited).toEqual([]);
});

test('an attempt that began before the network changed is not waited for', async () => {
  const port = await freePort();
  const sockets: net.Socket[] = [];
  const hole = net.createServer((socket) => sockets.push(socket)).listen(port, '127.0.0.1');
  await once(hole, 'listening');
  // Its limits never pass: whoever waits for it waits in vain.
  const sleepLong: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms < 5_000 ? ms / 10 : ms * 10, signal);
  const clock = { ...systemClock, sleep: sleepLong };
  const client = await world.clientOf({ host: '127.0.0.1', port }, { clock });
  client.start();
  await until(() => sockets.length > 0, 'the attempt');
  await sleep(1100);
  hole.close();
  await world.serve({ port });
  client.checkNow();
  await until(() => client.state.kind === 'online', 'online');
  expect(client.state).toEqual({ kind: 'online', resumed: false });
  for (const socket of sockets) socket.destroy();
});

test('signing out ends the stream in order, and nothing is sent or tried again after it', async () => {
  const server = await world.serve({ streamManagement: true });
  const client = await world.clientOf(server);
  await client.connect(never);
  await client[Symbol.asyncDispose]();
  await until(() => server.secureBytes().includes('</stream:stream>'), 'the end of the stream');
  expect(await codeOf(client.send(xml('message')))).toBe('disconnected');
  await sleep(300);
  expect([client.state.kind, server.signIns]).toEqual(['offline', 1]);
});

test('a connection that is in doubt and slow is kept: something comes in all the time', async () => {
  let isSlow = false;
  const answer = (stanza: string, id: string): string | undefined =>
    stanza.includes('urn:xmpp:ping') && !isSlow ? `<iq type='result' from='a.test' id='${id}'/>` : undefined;
  const server = await world.serve({ streamManagement: true, answer });
  const client = await world.clientOf(server);
  const states: string[] = [];
  client.onState.on(({ kind }) => states.push(kind));
  await client.connect(never);
  isSlow = true;
  client.checkNow();
  await until(() => server.secureBytes().includes('urn:xmpp:ping'), 'the question');
  for (let part = 0; part < 10; part += 1) {
    server.push("<message from='a@b.test'><body>old</body></message>");
    await sleep(60);
  }
  expect(states).toEqual(['connecting', 'online']);
});
