import { isIPv4 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressBytes, addressText, isPrivateAddress, isPublicAddress } from './ip-address.ts';

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
    { numRuns: 20_000 },
  );
});

test('the bytes of known addresses', () => {
  expect(addressText(addressBytes('2001:DB8:0:0:1::2') ?? new Uint8Array(16))).toBe('2001:db8::1:0:0:2');
  expect([...(addressBytes('fe80::1%eth0') ?? [])]).toEqual([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(addressBytes('router')).toBeUndefined();
});
