import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { RouteSource } from './default-gateways.ts';
import { findDefaultGateways, findDefaultGateways6 } from './default-gateways.ts';

const never = new AbortController().signal;
const PRINTED: Readonly<Record<string, string>> = {
  '/proc/net/route': 'linux-proc-route.txt',
  '/proc/net/ipv6_route': 'linux-proc-ipv6-route.txt',
  '/usr/sbin/netstat -rn -f inet': 'macos-netstat-inet.txt',
  '/usr/sbin/netstat -rn -f inet6': 'macos-netstat-inet6.txt',
  'route.exe print -4': 'windows-route-print.txt',
  'route.exe print -6': 'windows-route-print-6.txt',
};

function machine(platform: NodeJS.Platform): RouteSource {
  const print = (asked: string): Promise<string> => {
    const name = PRINTED[asked];
    if (name === undefined) return Promise.reject(new Error(`nothing answers to ${asked}`));
    return Promise.resolve(readFileSync(path.join(import.meta.dirname, '../../test/fixtures/routes', name), 'utf8'));
  };
  return { platform, read: print, output: (command, args) => print([command, ...args].join(' ')) };
}

test.each([
  ['linux', ['192.168.77.254', '192.168.1.1'], 'fe80::3e37:12ff:fe0a:b0c%eth0'],
  ['darwin', ['192.168.1.1', '10.8.0.5'], 'fe80::3e37:12ff:fe0a:b0c%en0'],
  ['win32', ['192.168.1.1', '10.0.0.1'], 'fe80::3e37:12ff:fe0a:b0c%12'],
] as const)('the routers of a machine with %s are found where that system names them', async (platform, four, six) => {
  expect(await findDefaultGateways(never, machine(platform))).toEqual(four);
  expect((await findDefaultGateways6('2001:db8::7', never, machine(platform)))[0]).toBe(six);
});

test('a machine that has no such command, or no router, is told as having none', async () => {
  const broken = { ...machine('darwin'), output: () => Promise.reject(new Error('no such file')) };
  await expect(findDefaultGateways(never, broken)).rejects.toMatchObject({ code: 'not-found' });
  await expect(findDefaultGateways(never, machine('aix'))).rejects.toMatchObject({ code: 'not-found' });
});
