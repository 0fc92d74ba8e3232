import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { systemRandom } from '../base/random.ts';
import { SessionGuard } from './session.ts';

test('a ticket that nobody used ends after two minutes', async () => {
  const clock = new VirtualClock();
  const session = new SessionGuard({ token: 'launch', cookieKey: new Uint8Array(32), clock, random: systemRandom });
  const [early, late] = [session.ticket(), session.ticket()];
  await clock.advance(119_000);
  expect(session.signsIn(early)).toBe(true);
  await clock.advance(1000);
  expect([session.signsIn(late), session.signsIn('launch')]).toEqual([false, true]);
});
