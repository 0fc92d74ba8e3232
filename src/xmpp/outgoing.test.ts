import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { codeOf } from '../../test/fixtures/xmpp-accounts.ts';
import { xml } from './element.ts';
import { Outgoing } from './outgoing.ts';

test.each([
  ['on a good line', 0, 61_000],
  ['that stands behind much else on a slow line', 40_000, 101_000],
])('a stanza %s that nobody acknowledges is waited for as long as an answer may take', async (_, lateMs, endMs) => {
  const [clock, outgoing] = [new VirtualClock(), new Outgoing()];
  let code = 'waiting';
  const session = { lateMs, send: () => Promise.resolve() };
  const sent = codeOf(outgoing.sendConfirmed(session, xml('message'), clock)).then((end) => (code = end));
  await clock.advance(endMs - 2000);
  expect(code).toBe('waiting');
  await clock.advance(2000);
  expect(await sent).toBe('timed-out');
});
