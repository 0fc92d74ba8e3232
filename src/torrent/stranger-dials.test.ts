import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { isInternetAddress } from './internet-address.ts';
import { StrangerDials } from './stranger-dials.ts';

const create = (): { clock: VirtualClock; dials: StrangerDials } => {
  const clock = new VirtualClock(0);
  return { clock, dials: new StrangerDials({ clock, policy: isInternetAddress }) };
};

test('addresses in networks of our own are not called because a tracker names them', () => {
  const { dials } = create();
  for (const endpoint of ['192.168.1.1:80', '127.0.0.1:22', '[::1]:22', 'name.example:80', '9.9.9.9:0'])
    dials.add(endpoint);
  expect(dials.take(10)).toEqual([]);
});

test('a stranger is called once at a time, later each time that it was in vain, and at last no more', async () => {
  const { clock, dials } = create();
  dials.add('9.9.9.9:6881');
  dials.add('9.9.9.9:6881');
  expect([dials.take(10), dials.take(10)]).toEqual([['9.9.9.9:6881'], []]);
  dials.ended('9.9.9.9:6881', false);
  expect(dials.take(10)).toEqual([]);
  for (const waitMs of [120_000, 240_000, 480_000]) {
    await clock.advance(waitMs);
    expect(dials.take(10)).toEqual(['9.9.9.9:6881']);
    dials.ended('9.9.9.9:6881', false);
  }
  await clock.advance(3_600_000);
  expect(dials.take(10)).toEqual([]);
});
