import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/system-clock.ts';
import { xml } from '../../src/xmpp/element.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { startSlowLine } from '../fixtures/slow-line.ts';
import { never } from '../fixtures/xmpp-accounts.ts';

test('a stanza that takes a slow line half a minute arrives once, over the connection on which it was begun', async () => {
  await using world = await FakeXmppWorld.open();
  const arrived = (): number => server.secureBytes().split('</message>').length - 1;
  const server = await world.serve({
    streamManagement: true,
    answer: (text) => (text.includes('<r xmlns') ? `<a xmlns='urn:xmpp:sm:3' h='${arrived()}'/>` : undefined),
  });
  const line = await startSlowLine(server, { bitsPerSecond: 56_000, roundTripMs: 50 });
  onTestFinished(async () => await line[Symbol.asyncDispose]());
  const client = await world.clientOf(line, { clock: systemClock });
  await client.connect(never);
  const body = xml('body', {}, 'x'.repeat(180_000));
  await client.sendConfirmed(xml('message', { id: 'long', to: 'juliet@a.test' }, body), never);
  expect([arrived(), server.signIns]).toEqual([1, 1]);
});
