import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  parseMacRoutes,
  parseProcRoute,
  parseProcRoute6,
  parseWindowsRoute,
  parseWindowsRoute6,
} from './route-table.ts';

function fixture(name: string): string {
  return readFileSync(path.join(import.meta.dirname, '../../test/fixtures/routes', name), 'utf8');
}

test('of two default routes of Linux the one with the lower metric comes first', () => {
  expect(parseProcRoute(fixture('linux-proc-route.txt'))).toEqual(['192.168.77.254', '192.168.1.1']);
});

test('a default route of Linux without a gateway or not up is none', () => {
  const row = (gateway: string, flags: string): string => `ppp0\t00000000\t${gateway}\t${flags}\t0\t0\t0\t00000000\t0`;
  expect(parseProcRoute(row('00000000', '0001'))).toEqual([]);
  expect(parseProcRoute(row('0101A8C0', '0002'))).toEqual([]);
  expect(parseProcRoute(row('0101A8C0', '0003'))).toEqual(['192.168.1.1']);
});

test('one router behind a cable and a radio of the machine is asked once', () => {
  const row = (name: string, metric: number): string =>
    `${name}\t00000000\t0101A8C0\t0003\t0\t0\t${metric}\t00000000\t0`;
  expect(parseProcRoute(`${row('eth0', 100)}\n${row('wlan0', 600)}`)).toEqual(['192.168.1.1']);
});

test('the routers of IPv6 on Linux are named with their links, rejected routes are left out', () => {
  expect(parseProcRoute6(fixture('linux-proc-ipv6-route.txt'))).toEqual([
    'fe80::3e37:12ff:fe0a:b0c%eth0',
    'fe80::1%wlan0',
  ]);
});

test('the routers of macOS are read, interfaces without one are none', () => {
  expect(parseMacRoutes(fixture('macos-netstat-inet.txt'))).toEqual(['192.168.1.1', '10.8.0.5']);
  expect(parseMacRoutes(fixture('macos-netstat-inet6.txt'))).toEqual(['fe80::3e37:12ff:fe0a:b0c%en0']);
});

test('the routers of Windows are read in any language, persistent routes are left out', () => {
  const text = fixture('windows-route-print.txt');
  expect(parseWindowsRoute(text)).toEqual(['192.168.1.1', '10.0.0.1']);
  expect(parseWindowsRoute(text.replace('192.168.1.1 ', 'On-link '))).toEqual(['10.0.0.1']);
  expect(parseWindowsRoute6(fixture('windows-route-print-6.txt'))).toEqual([
    'fe80::3e37:12ff:fe0a:b0c%12',
    'fe80::2%5',
  ]);
});

test('no text breaks the parsers', () => {
  const files = [
    'linux-proc-route.txt',
    'linux-proc-ipv6-route.txt',
    'macos-netstat-inet6.txt',
    'windows-route-print.txt',
    'windows-route-print-6.txt',
  ];
  const line = fc.constantFrom(...files.flatMap((name) => fixture(name).split('\n')));
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(line, fc.string())).map((lines) => lines.join('\n')),
  );
  const parsers = [parseMacRoutes, parseProcRoute, parseProcRoute6, parseWindowsRoute, parseWindowsRoute6];
  fc.assert(
    fc.property(text, (input) => {
      expect(parsers.flatMap((parse) => parse(input)).filter((address) => isIP(address) === 0)).toEqual([]);
    }),
    { numRuns: 20_000 },
  );
});
