import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey } from '../base/id.ts';
import { Reachability } from './reachability.ts';

const [ben, cara, dan] = ['b', 'c', 'd'].map((digit) => parseDeviceKey(digit.repeat(64))) as [never, never, never];
const outside = '11.22.33.1:6881';

test('a port that nobody reaches is a lie, and none as long as one member reaches it', () => {
  const said = new Reachability({ clock: new VirtualClock(0) });
  expect(said.isLie(outside)).toBe(false);
  said.heard(ben, outside, 'unreachable');
  expect(said.isLie(outside)).toBe(true);
  said.heard(cara, outside, 'reached');
  expect(said.isLie(outside)).toBe(false);
  said.heard(cara, outside, 'unreachable');
  expect(said.isLie(outside)).toBe(true);
});

test('two devices in a network that lets nothing out do not make an open port a lie', () => {
  const said = new Reachability({ clock: new VirtualClock(0) });
  said.heard(ben, outside, 'reached');
  said.heard(cara, outside, 'unreachable');
  said.heard(dan, outside, 'unreachable');
  expect(said.isLie(outside)).toBe(false);
});

test('one member counts once, and what answers but refuses is no lie of the router', () => {
  const said = new Reachability({ clock: new VirtualClock(0) });
  said.heard(cara, outside, 'reached');
  for (let time = 0; time < 5; time += 1) said.heard(ben, outside, 'unreachable');
  said.heard(dan, outside, 'refused');
  expect(said.isLie(outside)).toBe(false);
  expect(said.isLie('11.22.33.1:6882')).toBe(false);
});

test('what was said in another network or long ago counts no more', async () => {
  const clock = new VirtualClock(0);
  const said = new Reachability({ clock });
  said.heard(ben, outside, 'unreachable');
  await clock.advance(31 * 60_000);
  expect(said.isLie(outside)).toBe(false);
  said.heard(ben, outside, 'unreachable');
  said.forget();
  expect(said.isLie(outside)).toBe(false);
});
