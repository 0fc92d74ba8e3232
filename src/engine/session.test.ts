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

test('a cookie of one port opens nothing at another one, also under its name', () => {
  const clock = new VirtualClock();
  const session = new SessionGuard({ token: 'launch', cookieKey: new Uint8Array(32), clock, random: systemRandom });
  const [cookie = ''] = session.setCookie(4000).split(';');
  expect(session.isAuthorised({ cookie }, 4000)).toBe(true);
  expect(session.isAuthorised({ cookie: cookie.replace('4000', '4001') }, 4001)).toBe(false);
});
