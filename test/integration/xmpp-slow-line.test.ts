import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { xml } from '../../src/xmpp/element.ts';
import { fastTime } from '../fixtures/fast-time.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { startSlowLine } from '../fixtures/slow-line.ts';
import { codeOf, never, until } from '../fixtures/xmpp-accounts.ts';

/** A minute of a modem passes in six seconds, as all minutes do here. */
const HASTE = 10;
const MODEM = { bitsPerSecond: 56_000 * HASTE, roundTripMs: 50 };

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function onSlowLine() {
  const clock = fastTime(HASTE);
  const arrived = (): number => server.secureBytes().split('</message>').length - 1;
  const server = await world.serve({
    streamManagement: true,
    answer: (text) => (text.includes('<r xmlns') ? `<a xmlns='urn:xmpp:sm:3' h='${arrived()}'/>` : undefined),
  });
  const line = await startSlowLine(server, MODEM);
  onTestFinished(async () => await line[Symbol.asyncDispose]());
  const client = await world.clientOf(line, { clock });
  await client.connect(never);
  return { server, line, client, arrived };
}

/** Takes the line so many milliseconds. */
function message(id: string, ms: number) {
  const body = xml('body', {}, 'x'.repeat((ms * 56_000) / 8000));
  return xml('message', { id, to: 'juliet@a.test' }, body);
}

test('a stanza that takes a slow line half a minute arrives once, over the connection on which it was begun', async () => {
  const { server, client, arrived } = await onSlowLine();
  await client.sendConfirmed(message('long', 26_000), never);
  expect([arrived(), server.signIns]).toEqual([1, 1]);
});

test('a stanza that takes a slow line half a minute arrives, also when others come and go meanwhile', async () => {
  const { server, line, client, arrived } = await onSlowLine();
  const sent = codeOf(client.sendConfirmed(message('long', 32_000), never));
  const { up } = line.passed;
  await until(() => line.passed.up > up + 20_000, 'a part of it');
  const heard = client.heard;
  server.push("<message from='juliet@a.test/x'><body>Hello?</body></message>");
  await until(() => client.heard > heard, 'what the other says');
  await client.send(message('short', 1));
  expect(await sent).toBe('no error');
  expect([arrived(), server.signIns]).toEqual([2, 1]);
});
