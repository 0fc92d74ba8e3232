import { afterAll, beforeAll, expect, test } from 'vitest';
import { fastTime } from '../fixtures/fast-time.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { codeOf, never, until } from '../fixtures/xmpp-accounts.ts';
import { xml } from '../../src/xmpp/element.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A server that tells what has arrived: whoever resumes, and whoever asks unless it is silent. */
async function counting(isSilent: () => boolean = () => true) {
  const arrived = (): string[] =>
    Array.from(server.secureBytes().matchAll(/<message id="(m\d+)"[^>]*><body>x+<\/body>/g), ([, id = '']) => id);
  const server = await world.serve({
    streamManagement: true,
    answer: (text) =>
      text.includes('<r xmlns') && !isSilent() ? `<a xmlns='urn:xmpp:sm:3' h='${arrived().length}'/>` : undefined,
    answerResume: () => `<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='${arrived().length}'/>`,
  });
  return { server, arrived };
}

const message = (id: string, length: number) =>
  xml('message', { id, to: 'juliet@a.test' }, xml('body', {}, 'x'.repeat(length)));

test('what was just being written when a silent connection is given up arrives once over the next, or its sender is told', async () => {
  const { server, arrived } = await counting();
  const client = await world.clientOf(server);
  await client.connect(never);
  server.stall();
  // More than the buffers of both ends hold, in stanzas of which many share a part.
  const ids = Array.from({ length: 4000 }, (_, index) => `m${index}`);
  const sent = ids.map((id) => codeOf(client.send(message(id, 3000))));
  client.checkNow();
  await until(() => client.state.kind !== 'online', 'given up');
  const codes = await Promise.all(sent);
  expect(new Set(codes)).toEqual(new Set(['no error', 'disconnected']));
  await until(() => client.state.kind === 'online', 'online');
  expect([client.state, server.signIns]).toEqual([{ kind: 'online', resumed: true }, 2]);
  const taken = ids.filter((_, index) => codes[index] === 'no error');
  await until(() => arrived().length >= taken.length, 'what was taken');
  expect(arrived()).toEqual(taken);
});

test('what is written in the moment in which the connection ends is counted: the session is resumed', async () => {
  const { server, arrived } = await counting();
  const client = await world.clientOf(server);
  const codes: Promise<string>[] = [];
  client.onStanza.on(() => codes.push(codeOf(client.send(message('m1', 10)))));
  await client.connect(never);
  server.push("<message from='a@b.test'><body>Hello?</body></message><stream:error><reset/></stream:error>");
  await until(() => server.signIns === 2 && client.state.kind === 'online', 'signed in again');
  expect([await Promise.all(codes), arrived(), client.state]).toEqual([
    ['no error'],
    ['m1'],
    { kind: 'online', resumed: true },
  ]);
});

test('a silent connection is left without a goodbye, for a server keeps nothing for whoever says goodbye', async () => {
  const clock = fastTime(10);
  const { server } = await counting();
  const client = await world.clientOf(server, { clock });
  await client.connect(never);
  await client.send(message('m1', 10));
  await until(() => server.signIns === 2 && client.state.kind === 'online', 'signed in again');
  expect(client.state).toEqual({ kind: 'online', resumed: true });
  expect(server.secureBytes()).not.toContain('</stream:stream>');
});

test('a good line that has just carried much is given up after twenty silent seconds like any other', async () => {
  const clock = fastTime(10);
  let isSilent = false;
  const { server } = await counting(() => isSilent);
  const client = await world.clientOf(server, { clock });
  await client.connect(never);
  await client.sendConfirmed(message('m1', 230_000));
  isSilent = true;
  const begunMs = clock.monotonic();
  await client.send(message('m2', 10));
  await until(() => client.state.kind !== 'online', 'given up');
  expect(clock.monotonic() - begunMs).toBeGreaterThan(19_000);
  expect(clock.monotonic() - begunMs).toBeLessThan(50_000);
});
