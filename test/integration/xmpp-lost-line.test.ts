import { afterAll, beforeAll, expect, test } from 'vitest';
import { fastTime } from '../fixtures/fast-time.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { codeOf, never, until } from '../fixtures/xmpp-accounts.ts';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { XmppClient } from '../../src/xmpp/client.ts';
import { xml } from '../../src/xmpp/element.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

interface Counting {
  readonly isSilent?: () => boolean;
  readonly onHeard?: () => void;
}

/** A server that tells what has arrived: whoever resumes, and whoever asks unless it is silent. */
async function counting({ isSilent = () => true, onHeard = () => undefined }: Counting = {}) {
  const arrived = (): string[] =>
    Array.from(server.secureBytes().matchAll(/<message id="(m\d+)"[^>]*><body>x+<\/body>/g), ([, id = '']) => id);
  const server = await world.serve({
    streamManagement: true,
    answer: (text) => {
      onHeard();
      const isTold = text.includes('<r xmlns') && !isSilent();
      return isTold ? `<a xmlns='urn:xmpp:sm:3' h='${arrived().length}'/>` : undefined;
    },
    answerResume: () => `<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='${arrived().length}'/>`,
  });
  return { server, arrived };
}

const message = (id: string, length: number) =>
  xml('message', { id, to: 'juliet@a.test' }, xml('body', {}, 'x'.repeat(length)));

/** Begins to send m0, m1 and so on; gives how each of them ends. */
const sendMany = (client: XmppClient, count: number, length: number): Promise<string>[] =>
  Array.from({ length: count }, (_, index) => codeOf(client.send(message(`m${index}`, length))));

/** What is left once the connection was given up and the next one has told what was taken. */
async function afterTheLoss(
  { server, arrived }: Awaited<ReturnType<typeof counting>>,
  client: XmppClient,
  sent: readonly Promise<string>[],
) {
  await until(() => client.state.kind !== 'online', 'given up');
  const codes = await Promise.all(sent);
  await until(() => client.state.kind === 'online', 'online');
  const { state } = client;
  const taken = codes.flatMap((code, index) => (code === 'no error' ? [`m${index}`] : []));
  await until(() => arrived().length >= taken.length, 'what was taken');
  return { codes: new Set(codes), state, signIns: server.signIns, taken };
}

/** Of what was not taken its sender was told. */
const RESUMED = {
  codes: new Set(['no error', 'disconnected']),
  state: { kind: 'online', resumed: true },
  signIns: 2,
};

test('what was just being written when a silent connection is given up arrives once over the next, or its sender is told', async () => {
  const scene = await counting();
  const client = await world.clientOf(scene.server);
  await client.connect(never);
  scene.server.stall();
  // More than the buffers of both ends hold, in stanzas of which many share a part.
  const sent = sendMany(client, 4000, 3000);
  client.checkNow();
  const { taken, ...left } = await afterTheLoss(scene, client, sent);
  expect(left).toEqual(RESUMED);
  expect(scene.arrived()).toEqual(taken);
});

test('a connection that takes nothing any more is given up after three minutes, and nothing is lost or comes twice', async () => {
  const onHeard = (): void => {
    if (scene.server.signIns === 1 && scene.arrived().length > 2) scene.server.stall();
  };
  const scene = await counting({ onHeard });
  const sleepLess: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms === 180_000 ? 500 : ms / 10, signal);
  const client = await world.clientOf(scene.server, { clock: { ...systemClock, sleep: sleepLess } });
  await client.connect(never);
  // More than the buffers of both ends hold.
  const { taken, ...left } = await afterTheLoss(scene, client, sendMany(client, 60, 200_000));
  expect(left).toEqual(RESUMED);
  expect(scene.arrived()).toEqual(taken);
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
  const { server } = await counting({ isSilent: () => isSilent });
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
