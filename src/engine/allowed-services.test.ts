import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import type { ExternalService } from '../xmpp/xep/0215-external-services.ts';
import { allowedServices } from './allowed-services.ts';

const NAMES: Record<string, readonly string[]> = {
  'turn.a.test': ['2a00:1450:4001::7', '93.184.216.34'],
  'only6.a.test': ['2a00:1450:4001::7'],
  'router.evil.test': ['192.168.1.1'],
  'half.evil.test': ['127.0.0.1', '93.184.216.34'],
  // The system reads such words as addresses.
  '2130706433': ['127.0.0.1'],
};

const resolve: Resolve = async (host) => {
  const found = NAMES[host];
  if (found === undefined) throw new AppError('not-found', 'no such name');
  return found.map((address) => ({ address, family: isIP(address) }));
};

function service(host: string): ExternalService {
  return { type: 'stun', host, port: 3478, username: '', password: '', isRestricted: false, expiresMs: null };
}

async function asked(serverAddress: string | undefined, ...hosts: string[]): Promise<string[]> {
  const deps = {
    serverAddress,
    ownNetworks: OWN,
    resolve,
    lastKnown: new RecentMap<string, string>(9),
    log: silentLogger,
  };
  const { services } = await allowedServices(hosts.map(service), deps, new AbortController().signal);
  return services.map(({ host }) => host);
}

/** A home with IPv6 from its provider, and a computer that stands open in the world. */
const OWN = ['192.168.1.5/24', '2003:e7:1::5/128', '198.41.0.4/29'];
const OWN_OUTSIDE = ['2003:e7:1::1', '198.41.0.5'];
const OUTSIDE = ['93.184.216.35', '2a00:1450:4001::8'];
const LOOPBACK = ['127.0.0.1', '127.9.9.9', '::1'];
const NEAR = ['192.168.1.1', '10.0.0.1', '172.16.0.1', '100.64.0.1', 'fd00::1'];
const NOBODY = [
  ...['224.0.0.251', '239.255.255.250', '255.255.255.255', '0.0.0.0', 'ff02::fb', '::'],
  ...['169.254.1.1', 'fe80::1', '::ffff:127.0.0.1', '::ffff:192.168.1.1', '::127.0.0.1'],
];

test('a hostile server on the internet does not make us send to our machine, our network or a group', async () => {
  for (const server of ['93.184.216.34', '2a00:1450:4001::7', undefined]) {
    expect(await asked(server, ...LOOPBACK, ...NEAR, ...NOBODY, ...OUTSIDE)).toEqual(OUTSIDE);
  }
});

test('a server in the own network has its services there, and none on our machine', async () => {
  for (const server of NEAR) {
    expect(await asked(server, ...LOOPBACK, ...NEAR, ...NOBODY, ...OUTSIDE)).toEqual([...NEAR, ...OUTSIDE]);
  }
});

test('the own network is spared too where the whole world could reach it, unless the server lies there itself', async () => {
  expect(await asked('93.184.216.34', ...OWN_OUTSIDE, '2003:e7:1:1::1', '198.41.0.9')).toEqual([
    '2003:e7:1:1::1',
    '198.41.0.9',
  ]);
  expect(await asked('198.41.0.4', ...OWN_OUTSIDE)).toEqual(OWN_OUTSIDE);
});

test('a server on our machine may name this machine, but never a group', async () => {
  expect(await asked('127.0.0.1', ...LOOPBACK, ...NOBODY)).toEqual(LOOPBACK);
});

test('a hostile name that leads into our network is not asked, nor looked up a second time by the library', async () => {
  const hosts = ['router.evil.test', '2130706433', 'half.evil.test', 'turn.a.test', 'only6.a.test'];
  expect(await asked('93.184.216.34', ...hosts)).toEqual(['93.184.216.34', '93.184.216.34', '2a00:1450:4001::7']);
});

test('a name that nobody knows just now is counted, and one that leads nowhere we may ask is not', async () => {
  const deps = {
    serverAddress: '93.184.216.34',
    ownNetworks: OWN,
    resolve,
    lastKnown: new RecentMap<string, string>(9),
    log: silentLogger,
  };
  const named = ['gone.a.test', 'router.evil.test', 'turn.a.test'].map(service);
  const { services, unresolved } = await allowedServices(named, deps, new AbortController().signal);
  expect(services).toHaveLength(1);
  expect(unresolved).toBe(1);
});

test('a name that nobody knows just now leads where it led last, unless that is in our network by now', async () => {
  const lastKnown = new RecentMap<string, string>(9);
  const never = new AbortController().signal;
  let isSilent = false;
  const asks = async (ownNetworks: string[]) => {
    const deps = { serverAddress: '2a00:1450:4001::8', ownNetworks, lastKnown, log: silentLogger };
    const flaky: Resolve = (host) => (isSilent ? Promise.reject(new AppError('not-found', 'no')) : resolve(host));
    const { services, unresolved } = await allowedServices(
      [service('turn.a.test')],
      { ...deps, resolve: flaky },
      never,
    );
    return [services.map(({ host }) => host), unresolved];
  };
  expect(await asks(OWN)).toEqual([['93.184.216.34'], 0]);
  isSilent = true;
  expect(await asks(OWN)).toEqual([['93.184.216.34'], 1]);
  expect(await asks(['93.184.216.40/24'])).toEqual([[], 1]);
});
