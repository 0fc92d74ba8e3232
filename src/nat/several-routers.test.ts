import { expect, test } from 'vitest';
import { Bench, FakeGateway, found, nothing } from '../../test/fixtures/mapper-bench.ts';
import type { FindGateway } from './gateway.ts';

test('of two routers the one with a public address is used, and the other keeps no mapping', async () => {
  const tunnel = new FakeGateway('pcp', '10.8.0.1');
  tunnel.outsideAddress = '100.64.0.9';
  const home = new FakeGateway('upnp', '192.168.1.1');
  const later: FindGateway = () => new Promise((resolve) => setImmediate(() => resolve(home)));
  await using bench = new Bench([found(tunnel), later]);
  await bench.keep();
  await bench.clock.advance(0);
  await bench.clock.advance(0);
  expect(bench.states).toEqual([{ kind: 'open', via: 'upnp', address: '11.22.33.44', port: 40_001 }]);
  expect([tunnel.open.size, home.open.size]).toEqual([0, 1]);
});

test('a router whose address nobody can reach is asked in one protocol only', async () => {
  const byPcp = new FakeGateway('pcp');
  const byUpnp = new FakeGateway('upnp');
  byPcp.outsideAddress = byUpnp.outsideAddress = '100.64.0.9';
  await using bench = new Bench([found(byPcp), found(byUpnp)]);
  await bench.keep();
  await bench.clock.advance(0);
  expect(bench.state).toMatchObject({ kind: 'unreachable', via: 'pcp' });
  expect(byUpnp.mapped).toEqual([]);
});

test('each public IPv6 address of the machine has its pinhole, for as long as it has the address', async () => {
  const gateways = new Map<string, FakeGateway>();
  const pinholes = (address: string): FindGateway[] => {
    const gateway = gateways.get(address) ?? new FakeGateway('pcp', 'fe80::1');
    gateway.outsideAddress = address;
    gateways.set(address, gateway);
    return [found(gateway)];
  };
  await using bench = new Bench([nothing], pinholes);
  const [first, second] = ['2a00::1', '2a00::2'];
  bench.addresses6 = [first];
  const kept = bench.mapper.keepPinholes('tcp', 40_001);
  const told: unknown[] = [];
  kept.changes.on((states) => told.push(states));
  await bench.clock.advance(0);
  expect(told).toEqual([
    [{ address: first, port: 40_001, open: false }],
    [{ address: first, port: 40_001, open: true }],
  ]);
  bench.addresses6 = [second];
  await bench.clock.advance(12_000);
  expect(kept.state).toEqual([{ address: second, port: 40_001, open: true }]);
  expect(gateways.get(first)?.open.size).toBe(0);
  await kept[Symbol.asyncDispose]();
  expect(gateways.get(second)?.open.size).toBe(0);
});
