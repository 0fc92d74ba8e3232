import { expect, test } from 'vitest';
import { multicastInterface6 } from './multicast-interface.ts';

const entries = [
  { address: '192.168.1.2' },
  { address: '2a00:1:2:3::4', scopeid: 0 },
  { address: 'fe80::1', scopeid: 12 },
];

test('groups of IPv6 are joined on an interface by its name, on Windows by its number', () => {
  expect(multicastInterface6('linux', 'eth0', entries)).toBe('::%eth0');
  expect(multicastInterface6('darwin', 'en0', entries)).toBe('::%en0');
  expect(multicastInterface6('win32', 'Ethernet 2', entries)).toBe('::%12');
});

test('where Windows tells no number of an interface the system chooses one', () => {
  expect(multicastInterface6('win32', 'Ethernet 2', entries.slice(0, 2))).toBe('::%0');
});
