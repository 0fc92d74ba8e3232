import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import type { UpnpBehaviour } from '../../test/fixtures/upnp-router.ts';
import { description, ssdpReply, UpnpRouter } from '../../test/fixtures/upnp-router.ts';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { Gateway } from './gateway.ts';
import { findUpnp, mayVisit } from './upnp.ts';

const never = new AbortController().signal;
const REQUEST = { protocol: 'tcp', internalPort: 40_001, wantedExternalPort: 40_001, lifetimeSeconds: 1_200 } as const;
const OURS = { client: '127.0.0.1', port: 40_001, leaseSeconds: 1_200 };
const OTHERS = { client: '192.168.1.50', port: 1, leaseSeconds: 0 };

function find(router: UpnpRouter, address = '127.0.0.1', clock: Clock = hastyClock): Promise<Gateway> {
  const group = { ...router.group, address: '127.0.0.1' };
  const mayAsk = (host: string): boolean => host === '127.0.0.1';
  return findUpnp({ clock, random: systemRandom, log: silentLogger, address, group, mayAsk }, never);
}

test.each([
  { version: 1, service: 'WANIPConnection' },
  { version: 2, service: 'WANIPConnection' },
  { version: 1, service: 'WANPPPConnection' },
] as const)('a port is mapped by $service:$version and removed', async (behaviour) => {
  await using router = await UpnpRouter.start(behaviour);
  const gateway = await find(router);
  expect(await gateway.map(REQUEST, never)).toEqual({
    protocol: 'tcp',
    internalPort: 40_001,
    internalAddress: '127.0.0.1',
    externalAddress: '11.22.33.44',
    externalPort: 40_001,
    lifetimeSeconds: 1_200,
  });
  expect([...router.entries]).toEqual([['TCP 40001', OURS]]);
  await gateway.unmap(REQUEST, never);
  expect(router.entries.size).toBe(0);
});

test.each([1, 2] as const)('a port of another machine is left alone by version %s', async (version) => {
  await using router = await UpnpRouter.start({ version });
  router.entries.set('TCP 40001', OTHERS);
  const gateway = await find(router);
  const { externalPort } = await gateway.map(REQUEST, never);
  expect(externalPort).not.toBe(40_001);
  expect(router.entries.get(`TCP ${externalPort}`)).toEqual(OURS);
  await gateway.unmap(REQUEST, never);
  expect([...router.entries]).toEqual([['TCP 40001', OTHERS]]);
});

test('a mapping that became another machine’s is not removed', async () => {
  await using router = await UpnpRouter.start();
  const gateway = await find(router);
  await gateway.map(REQUEST, never);
  router.entries.set('TCP 40001', OTHERS);
  await gateway.unmap(REQUEST, never);
  expect([...router.entries]).toEqual([['TCP 40001', OTHERS]]);
});

test('a router without leases gets a permanent mapping', async () => {
  await using router = await UpnpRouter.start({
    fault: (action, body) => (action === 'AddPortMapping' && !body.includes('<NewLeaseDuration>0<') ? 725 : undefined),
  });
  expect(await (await find(router)).map(REQUEST, never)).toMatchObject({ lifetimeSeconds: null });
  expect(router.entries.get('TCP 40001')?.leaseSeconds).toBe(0);
});

test('a router that wants equal ports gets them', async () => {
  await using router = await UpnpRouter.start({
    fault: (action, body) =>
      action === 'AddPortMapping' && !body.includes('<NewExternalPort>40001<') ? 724 : undefined,
  });
  const mapping = await (await find(router)).map({ ...REQUEST, wantedExternalPort: 45_000 }, never);
  expect(mapping.externalPort).toBe(40_001);
});

test.each([606, 718, 501, 402])('a router that always answers %s is asked a few times at most', async (code) => {
  await using router = await UpnpRouter.start({
    fault: (action) => (action.startsWith('Add') ? code : undefined),
  });
  await expect((await find(router)).map(REQUEST, never)).rejects.toMatchObject({
    code: 'not-allowed',
    details: { kind: 'upnp', result: code },
  });
  expect(router.requests.filter((action) => action.startsWith('Add')).length).toBeLessThanOrEqual(6);
});

test('a lost mapping and another outside address are seen', async () => {
  let externalAddress = '11.22.33.44';
  await using router = await UpnpRouter.start({ externalAddress: () => externalAddress });
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  expect(await gateway.isKept(mapping, never)).toBe(true);
  externalAddress = '11.22.33.55';
  expect(await gateway.isKept(mapping, never)).toBe(false);
  externalAddress = '11.22.33.44';
  router.entries.clear();
  expect(await gateway.isKept(mapping, never)).toBe(false);
});

test('a router that does not list its mappings is believed', async () => {
  await using router = await UpnpRouter.start({
    fault: (action) => (action === 'GetSpecificPortMappingEntry' ? 401 : undefined),
  });
  const gateway = await find(router);
  expect(await gateway.isKept(await gateway.map(REQUEST, never), never)).toBe(true);
  await gateway.unmap(REQUEST, never);
  expect(router.entries.size).toBe(0);
});

const hostile: [string, UpnpBehaviour][] = [
  ['sends ten megabytes', { instead: (_, response) => (response.end('<root>'.padEnd(10_000_000, ' ')), true) }],
  ['never stops sending', { instead: (_, response) => (drip(response), true) }],
  ['never answers', { instead: () => true }],
  ['hangs up', { instead: (request) => (request.socket.destroy(), true) }],
  ['speaks no HTTP', { instead: (request) => (request.socket.end('hello\r\n\r\n'), true) }],
  [
    'sends endless headers',
    { instead: (request) => (request.socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`), true) },
  ],
  ['declares entities', { instead: (_, response) => (response.end('<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'), true) }],
  ['redirects', { instead: (_, response) => (response.writeHead(302, { location: '/elsewhere' }).end(), true) }],
  ['is controlled elsewhere', { controlUrl: 'http://127.0.0.2/control' }],
  ['describes itself elsewhere', { reply: (target) => [ssdpReply(target, 'http://127.0.0.2:1/')] }],
  ['sends garbage', { reply: () => ['\0\xff', '', 'HTTP/1.1 200 OK\r\n\r\n'] }],
];

test.each(hostile)('a router that %s is no router', async (_, behaviour) => {
  await using router = await UpnpRouter.start(behaviour);
  await expect(find(router)).rejects.toMatchObject({ code: 'not-found' });
  expect(router.requests.filter((request) => request !== 'GET /description.xml')).toEqual([]);
});

test('a thousand hostile replies around the true one cost eight visits at most', async () => {
  const evil = (target: string, location: string): string[] =>
    Array.from({ length: 330 }, (_, index) =>
      ssdpReply(
        target,
        index % 3 === 0 ? location.replace('description', `evil${index}`) : `http://10.0.0.${index % 255}/`,
      ),
    );
  await using router = await UpnpRouter.start({
    reply: (target, location) => [ssdpReply(target, location), ...evil(target, location)],
    instead: (request, response) =>
      request.url?.includes('evil') === true ? (response.writeHead(404).end(), true) : false,
  });
  const gateway = await find(router);
  await gateway.map(REQUEST, never);
  expect(router.requests.filter((request) => request.startsWith('GET /')).length).toBeLessThanOrEqual(8);
});

test('the machine’s own router goes before other devices', async () => {
  await using router = await UpnpRouter.start();
  const headStarts: number[] = [];
  const clock: Clock = {
    ...hastyClock,
    sleep: (ms, signal) => {
      if (ms === 1_000) headStarts.push(router.requests.length);
      return hastyClock.sleep(ms, signal);
    },
  };
  await find(router, '127.0.0.1', clock);
  expect(headStarts).toEqual([]);
  await find(router, '127.0.0.9', clock);
  expect(headStarts).toHaveLength(1);
});

test('of two connections the one with a public address is used', async () => {
  const both = description('urn:schemas-upnp-org:service:WANPPPConnection:1', '/ppp').replace(
    '<serviceList>',
    '<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ip</controlURL></service>',
  );
  const down = (text: string): string => text.replace('11.22.33.44', '0.0.0.0');
  await using router = await UpnpRouter.start({
    version: 1,
    service: 'WANPPPConnection',
    instead: (request, response) => {
      if (request.url === '/description.xml') return (response.end(both), true);
      if (request.url !== '/ip') return false;
      response.end(
        down(
          '<r><GetExternalIPAddressResponse><NewExternalIPAddress>11.22.33.44</NewExternalIPAddress></GetExternalIPAddressResponse></r>',
        ),
      );
      return true;
    },
  });
  expect(await (await find(router)).map(REQUEST, never)).toMatchObject({ externalAddress: '11.22.33.44' });
});

function drip(response: { write(text: string): boolean; readonly destroyed: boolean }): void {
  if (response.destroyed) return;
  response.write('<a>'.repeat(1_000));
  setImmediate(() => drip(response));
}

test('neighbours that name many places do not shut the router out', () => {
  const visited: string[] = [];
  const name = (host: string, path: number): void => {
    const location = new URL(`http://${host}/${path}`);
    if (mayVisit(location, visited, '192.168.1.1')) visited.push(location.href);
  };
  for (let path = 0; path < 8; path += 1) name('192.168.1.66', path);
  name('192.168.1.20', 0);
  expect(visited).toHaveLength(3);
  for (let host = 100; host < 120; host += 1) name(`192.168.1.${host}`, 0);
  expect(visited).toHaveLength(8);
  for (let path = 0; path < 3; path += 1) name('192.168.1.1', path);
  expect(visited.slice(8)).toEqual(['http://192.168.1.1/0', 'http://192.168.1.1/1']);
});
