import { expect, test } from 'vitest';
import { isInternetAddress } from './internet-address.ts';

test.each(['8.8.8.8', '93.184.216.34', '100.63.255.255', '172.32.0.1', '2606:2800:220:1::1', '2a00::1'])(
  '%s is on the internet',
  (address) => expect(isInternetAddress(address)).toBe(true),
);

test.each([
  ...['127.0.0.1', '127.8.8.8', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ...['169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255', '198.18.0.1'],
  ...['::1', '::', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1'],
  ...['2002:7f00:1::', '2001:0:53aa::1', 'localhost', 'example.org', '', '127.1', '2130706433'],
])('%s is called because of no stranger', (address) => expect(isInternetAddress(address)).toBe(false));
