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
    dials.add(endpoint, 'tracker');
  expect(dials.take(10)).toEqual([]);
});

test('a stranger is called once at a time, later each time that it was in vain, and at last no more', async () => {
  const { clock, dials } = create();
  dials.add('9.9.9.9:6881', 'tracker');
  dials.add('9.9.9.9:6881', 'tracker');
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

test('whoever names very many strangers crowds out only what they named themselves', () => {
  const { dials } = create();
  const ofTracker = Array.from({ length: 40 }, (_, number) => `9.9.${number}.1:6881`);
  for (const endpoint of ofTracker) dials.add(endpoint, 'tracker');
  for (let number = 0; number < 2_000; number += 1) dials.add(`8.${number >> 8}.${number & 255}.1:6881`, 'pex');
  const known = dials.take(1_000);
  expect(known).toHaveLength(500);
  expect(known).toEqual(expect.arrayContaining(ofTracker));
  expect(dials.add('9.9.200.1:6881', 'tracker')).toBe(false);
});

test('of one address a few ports are called, and of one IPv6 household as many', () => {
  const { dials } = create();
  for (let port = 1; port <= 500; port += 1) {
    dials.add(`9.9.9.9:${port}`, 'pex');
    dials.add(`[2a00:1450:4001:81b::${port.toString(16)}]:6881`, 'pex');
  }
  const taken = dials.take(1_000);
  expect(taken.filter((endpoint) => endpoint.startsWith('9.'))).toHaveLength(8);
  expect(taken).toHaveLength(16);
});
