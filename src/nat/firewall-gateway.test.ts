import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import type { UpnpBehaviour } from '../../test/fixtures/upnp-router.ts';
import { UpnpRouter } from '../../test/fixtures/upnp-router.ts';
import { silentLogger } from '../base/log.ts';
import type { Gateway } from './gateway.ts';
import { findUpnpFirewall } from './upnp.ts';

const never = new AbortController().signal;
const REQUEST = { protocol: 'tcp', internalPort: 40_001, wantedExternalPort: 40_001, lifetimeSeconds: 1_200 } as const;
const FIREWALL = { version: 1, service: 'WANIPv6FirewallControl' } as const;

/** The protocol is the same over IPv4, which every machine has. */
const OURS = '127.0.0.1';

function start(behaviour: UpnpBehaviour = {}): Promise<UpnpRouter> {
  return UpnpRouter.start({ ...FIREWALL, ...behaviour });
}

function find(router: UpnpRouter): Promise<Gateway> {
  const mayAsk = (host: string): boolean => host === OURS;
  const search = { clock: hastyClock, log: silentLogger, group: router.group, mayAsk, from: OURS };
  return findUpnpFirewall({ ...search, multicastInterface: OURS }, never);
}

test('a pinhole is opened for the address that asks, renewed and removed', async () => {
  await using router = await start();
  const gateway = await find(router);
  const inner = { protocol: 'tcp', internalPort: 40_001, internalAddress: OURS };
  const mapping = { ...inner, externalAddress: OURS, externalPort: 40_001, lifetimeSeconds: 1_200 };
  expect(await gateway.map(REQUEST, never)).toEqual(mapping);
  expect([...router.pinholes]).toEqual([['7', { client: OURS, port: 40_001, protocol: 6, leaseSeconds: 1_200 }]]);
  await gateway.map({ ...REQUEST, lifetimeSeconds: 600 }, never);
  expect([...router.pinholes.values()]).toMatchObject([{ leaseSeconds: 600 }]);
  await gateway.unmap(REQUEST, never);
  expect(router.pinholes.size).toBe(0);
});

test('a pinhole that the router forgot is seen, and opened anew', async () => {
  await using router = await start();
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  expect(await gateway.isKept(mapping, never)).toBe(true);
  router.pinholes.clear();
  expect(await gateway.isKept(mapping, never)).toBe(false);
  await gateway.map(REQUEST, never);
  expect(router.pinholes.size).toBe(1);
});

test('a router whose owner wants no pinholes is asked for none', async () => {
  await using router = await start({ allowsPinholes: false });
  await expect(find(router)).rejects.toMatchObject({ code: 'not-found' });
  expect(router.requests).not.toContain('AddPinhole');
});

test('a router that maps ports but has no firewall to ask is none', async () => {
  await using router = await UpnpRouter.start({ version: 2 });
  await expect(find(router)).rejects.toMatchObject({ code: 'not-found' });
  expect(router.requests.every((request) => request.startsWith('GET '))).toBe(true);
});

test.each(['', 'x', '-1', '1234567'])('a pinhole named %j is none', async (name) => {
  await using router = await start({
    instead: (request, response) => {
      if (!String(request.headers['soapaction']).includes('AddPinhole')) return false;
      response.end(`<r><AddPinholeResponse><UniqueID>${name}</UniqueID></AddPinholeResponse></r>`);
      return true;
    },
  });
  const gateway = await find(router);
  await expect(gateway.map(REQUEST, never)).rejects.toMatchObject({ code: 'bad-input' });
});
