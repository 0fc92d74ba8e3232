import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { ObservedAddresses } from './observed-addresses.ts';

test('the address that most members see comes first; who makes many up is believed once', () => {
  const observed = new ObservedAddresses({ clock: new VirtualClock(0) });
  for (let number = 1; number < 200; number += 1) observed.saw('eve', `11.22.34.${number}:1`);
  for (const device of ['ben', 'cara']) observed.saw(device, '11.22.33.1:50123');
  expect(observed.hosts).toEqual(['11.22.33.1', '11.22.34.199']);
});

test('what a single member says is no certainty, what two or the server say is one', () => {
  const observed = new ObservedAddresses({ clock: new VirtualClock(0) });
  observed.saw('eve', '11.22.34.1:1');
  expect(observed.sureHosts).toEqual([]);
  observed.saw('server', '11.22.33.1:1');
  expect(observed.sureHosts).toEqual(['11.22.33.1']);
  observed.saw('ben', '11.22.34.1:1');
  expect(observed.sureHosts).toEqual(['11.22.34.1', '11.22.33.1']);
});

test('addresses that the world cannot call, and what is none, are no addresses of ours', () => {
  const observed = new ObservedAddresses({ clock: new VirtualClock(0) });
  for (const said of ['192.168.1.2:1', '127.0.0.1:22', '[2a01:4f8::7]:1', '100.64.0.9:1', 'nowhere', '11.22.33.1:0']) {
    observed.saw(said, said);
  }
  expect(observed.hosts).toEqual([]);
});

test('what was seen long ago or in another network counts no more', async () => {
  const clock = new VirtualClock(0);
  const observed = new ObservedAddresses({ clock });
  observed.saw('ben', '11.22.33.1:1');
  await clock.advance(61 * 60_000);
  expect(observed.hosts).toEqual([]);
  observed.saw('ben', '11.22.33.1:1');
  observed.forget();
  expect(observed.hosts).toEqual([]);
});
