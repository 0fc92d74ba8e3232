import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
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

// The forms are those of tables that people published from their machines; the addresses are not theirs.
test.each([
  [
    'macOS before 11.3, with a tunnel that takes all traffic',
    'default            link#14            UCSI            1        0   utun1',
    'default            192.168.1.1        UGSc          104        0     en0',
    '0/1                utun3              USc             3        0   utun3',
  ],
  [
    'macOS 11.3 or later, beside a bridge for virtual machines',
    'default            192.168.1.1        UGScg             en0',
    'default            link#17            UCSIg       bridge100      !',
  ],
  [
    'macOS, beside two virtual networks',
    'default            192.168.1.1        UGdScg                en0       ',
    'default            link#23            UCSIg           bridge100      !',
    'default            link#25            UCSIg               utun4       ',
    '100.64/10          link#25            UCS                 utun4       ',
  ],
  [
    'macOS, a tunnel that is the preferred way of everything',
    'default            link#28            UCSg                utun8       ',
    'default            192.168.1.1        UGScIg                en0       ',
    '198.51.100.8       link#28            UHW3Ig              utun8     37',
  ],
])('%s: the router of the home is found', (_machine, ...lines) => {
  expect(parseMacRoutes(['Internet:', ...lines].join('\n'))).toEqual(['192.168.1.1']);
});

test('tables of machines without a router of IPv6 name none', () => {
  const teredo = [
    ' If Metric Network Destination      Gateway',
    '  3    331 ::/0                     On-link',
    '  3    331 2001:db8:2851:782c:3047:3d9d:f5f5:9a5a/128',
    '                                    On-link',
  ];
  expect(parseWindowsRoute6(teredo.join('\r\n'))).toEqual([]);
  const tunnels = [0, 1, 2].map((n) => `default          fe80::%utun${n}          UGcIg               utun${n}`);
  expect(parseMacRoutes(tunnels.join('\n'))).toEqual([]);
});

test('a route of Windows that is kept for the next start is not in use, whatever its address', () => {
  const lines = [
    'Network Destination        Netmask          Gateway       Interface  Metric',
    '          0.0.0.0          0.0.0.0      192.168.0.1     192.168.0.18     45',
    '      172.22.32.0    255.255.240.0         On-link       172.22.32.1    271',
    'Persistent Routes:',
    '  Network Address          Netmask  Gateway Address  Metric',
    '          0.0.0.0          0.0.0.0  192.168.111.100       5',
    '  169.254.169.254  255.255.255.255        192.0.2.1      25',
  ];
  expect(parseWindowsRoute(lines.join('\r\n'))).toEqual(['192.168.0.1']);
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
    { numRuns: fuzzRuns(2_000) },
  );
});
