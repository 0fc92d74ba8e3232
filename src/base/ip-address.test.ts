import { isIP, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import {
  addressBytes,
  addressText,
  householdOf,
  isInNetwork,
  isLinkLocal,
  isNeighbour,
  isPrivateAddress,
  isPublicAddress,
  mayBeDevice,
  networkOf,
} from './ip-address.ts';

test.each(['8.8.8.8', '11.22.33.44', '100.63.255.255', '100.128.0.1', '172.32.0.1', '2a00:1450::1'])(
  '%s can be reached from everywhere',
  (address) => expect(isPublicAddress(address)).toBe(true),
);

test.each([
  '',
  'router.lan',
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.1.1',
  '172.16.0.1',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  'fe80::1',
  'fd00::1',
  '2001:db8::1',
])('%s cannot be reached from everywhere', (address) => expect(isPublicAddress(address)).toBe(false));

test('only routers of home and provider networks are asked', () => {
  const asked = ['192.168.1.1', '10.0.0.1', '172.31.0.1', '100.64.0.1'];
  const never = ['169.254.169.254', '127.0.0.1', '8.8.8.8', '224.0.0.1', '0.0.0.0', 'fe80::1', 'localhost', ''];
  expect(asked.filter(isPrivateAddress)).toEqual(asked);
  expect(never.filter(isPrivateAddress)).toEqual([]);
});

test('every address survives its sixteen bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const bytes = addressBytes(address);
      expect(bytes).toHaveLength(16);
      const text = addressText(bytes ?? new Uint8Array(16));
      expect(addressBytes(text)).toEqual(bytes);
      expect(isIPv4(address) ? text : address).toBe(address);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

test('the bytes of known addresses', () => {
  expect(addressText(addressBytes('2001:DB8:0:0:1::2') ?? new Uint8Array(16))).toBe('2001:db8::1:0:0:2');
  expect([...(addressBytes('fe80::1%eth0') ?? [])]).toEqual([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(addressBytes('router')).toBeUndefined();
});

test('what is an address is what the system takes for one', () => {
  const part = fc.constantFrom(
    '0',
    '1',
    '01',
    '255',
    '256',
    'ffff',
    'g',
    '::',
    ':',
    '.',
    '%',
    'eth0',
    '1.2.3.4',
    '::1',
  );
  const text = fc.oneof(
    fc.array(part, { maxLength: 10 }).map((parts) => parts.join('')),
    fc.ipV4(),
    fc.ipV6(),
  );
  fc.assert(
    fc.property(text, (one) => {
      expect(addressBytes(one) !== undefined).toBe(isIP(one) > 0);
    }),
    { numRuns: fuzzRuns(3_000) },
  );
});

test.each(['fe80::1', 'FEBF::1', 'fe90::', '169.254.1.2', 'fe80::1%eth0'])(
  '%s means another machine on every link',
  (one) => expect(isLinkLocal(one)).toBe(true),
);

test.each(['fec0::1', 'fe8::1', '2001:db8::fe80', '169.25.4.1', '192.168.1.2', ''])('%j does not', (one) =>
  expect(isLinkLocal(one)).toBe(false),
);

test('an address that means this machine, a group or nobody is no device', () => {
  const devices = ['192.168.1.1', '100.64.0.1', '8.8.8.8', '223.255.255.255', '2a00:1450::1', 'fd00::1'];
  const none = ['', 'localhost', '0.1.2.3', '127.0.0.1', '169.254.1.1', '224.0.0.1', '255.255.255.255', '01.2.3.4'];
  const none6 = ['::', '::1', '::8.8.8.8', '::ffff:8.8.8.8', '::ffff:808:808', 'fe80::1', 'ff02::1'];
  expect([...devices, ...none, ...none6].filter(mayBeDevice)).toEqual(devices);
});

test('a pinhole is asked for only of the own link, of a home, or of the very network', () => {
  const asked = ['fe80::1', 'fd12::1', '2a00:1:2:3::1'];
  const never = ['2a00:1:2:4::1', '192.168.1.1', 'ff02::1', ''];
  expect([...asked, ...never].filter((address) => isNeighbour(address, '2a00:1:2:3:4::5'))).toEqual(asked);
});

test('a network is what its addresses share', () => {
  expect(['192.168.3.7/22', '10.8.0.2/32', '0.0.0.0/0', 'fd00:1:2:3:4::7/64'].map(networkOf)).toEqual([
    '192.168.0.0/22',
    '10.8.0.2/32',
    '0.0.0.0/0',
    'fd00:1:2:3::/64',
  ]);
  expect(['192.168.3.7', '192.168.3.7/33', '192.168.3.7/x', 'router/8', 'fd00::/129'].map(networkOf)).toEqual(
    Array.from({ length: 5 }, () => undefined),
  );
  const among = ['192.168.0.1', '192.168.3.255', '192.168.4.1', '::ffff:192.168.0.1', 'fd00::1'];
  expect(among.filter((address) => isInNetwork(address, '192.168.0.0/22'))).toEqual(['192.168.0.1', '192.168.3.255']);
});

test('a household is one IPv4 address, or one network of IPv6', () => {
  expect(
    ['192.0.2.1', '::ffff:192.0.2.1', '2a00:1:2:3:4::5', '2a00:1:2:3::9', 'fe80::1%eth0', ''].map(householdOf),
  ).toEqual(['192.0.2.1', '192.0.2.1', '2a00:1:2:3::/64', '2a00:1:2:3::/64', 'fe80::/64', '']);
});
