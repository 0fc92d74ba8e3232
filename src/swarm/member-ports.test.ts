import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { MemberPorts } from './member-ports.ts';
import { PendingStreams } from './pending-streams.ts';
import type { Pinhole, PortMapping, RouterPort } from './port-mapping.ts';
import { Reachability } from './reachability.ts';

const ben = parseDeviceKey('b'.repeat(64));
const cara = parseDeviceKey('c'.repeat(64));

/** A router that opens what it is told to open. */
class FakeRouter implements PortMapping {
  readonly ports = new Map<number, (state: RouterPort) => void>();
  readonly pinholes = new Map<number, (holes: readonly Pinhole[]) => void>();

  keep(port: number, onChange: (state: RouterPort) => void): AsyncDisposable {
    this.ports.set(port, onChange);
    return { [Symbol.asyncDispose]: () => Promise.resolve(void this.ports.delete(port)) };
  }

  keepPinholes(port: number, onChange: (holes: readonly Pinhole[]) => void): AsyncDisposable {
    this.pinholes.set(port, onChange);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }

  checkNow(): void {
    for (const onChange of this.ports.values()) onChange({ state: 'closed', via: null, outside: null });
  }
}

async function open(options: { extraPorts?: number[]; addresses?: string[] } = {}) {
  const router = new FakeRouter();
  const reachability = new Reachability({ clock: new VirtualClock(0) });
  const hosts: string[] = [];
  const opened = { pinholes: 0 };
  const observed = { hosts, sureHosts: hosts };
  const ports = await MemberPorts.open({
    observed,
    log: silentLogger,
    portMapping: router,
    reachability,
    addresses: options.addresses ?? [],
    dataPort: 0,
    extraPorts: options.extraPorts ?? [],
    pending: new PendingStreams({ clock: new VirtualClock(0), admit: () => Promise.resolve() }),
    onTracker: (socket) => socket.destroy(),
    onChange: () => undefined,
    onPinhole: () => void (opened.pinholes += 1),
  });
  onTestFinished(() => ports[Symbol.asyncDispose]());
  ports.map();
  return { router, reachability, observed, ports, opened };
}

test('the outside address is told first, and last when members say that the router lies', async () => {
  const { router, reachability, ports } = await open();
  const outside = `11.22.33.44:${ports.dataPort}`;
  expect(ports.mapped).toBeNull();
  router.ports.get(ports.dataPort)?.({ state: 'open', via: 'upnp', outside });
  expect([ports.mapped, ports.endpoints[0]]).toEqual([outside, outside]);
  expect(ports.states[0]).toMatchObject({ purpose: 'data', state: 'unconfirmed', via: 'upnp', outside });
  reachability.heard(ben, outside, 'unreachable');
  expect(ports.endpoints.at(-1)).toBe(outside);
  expect(ports.states[0]).toMatchObject({ state: 'lied', outside });
  reachability.heard(cara, outside, 'reached');
  expect([ports.states[0]?.state, ports.endpoints[0]]).toEqual(['open', outside]);
});

test('an endpoint at the outside address of our router is known as such, whichever port it has', async () => {
  const { router, ports } = await open();
  expect(ports.isAtOurRouter('11.22.33.44:7000')).toBe(false);
  router.ports.get(ports.dataPort)?.({ state: 'open', via: 'pcp', outside: `11.22.33.44:${ports.dataPort}` });
  expect(['11.22.33.44:7000', '11.22.33.4:7000', 'nowhere'].map((place) => ports.isAtOurRouter(place))).toEqual([
    true,
    false,
    false,
  ]);
});

test('a port that a person forwarded is told to members once one of them came in by it, and not before', async () => {
  const { reachability, observed, ports } = await open();
  observed.hosts.push('11.22.33.44');
  const outside = `11.22.33.44:${ports.dataPort}`;
  expect([ports.doors, ports.mapped, ports.endpoints.includes(outside)]).toEqual([[outside], null, false]);
  reachability.heard(ben, outside, 'unreachable');
  expect([ports.states[0]?.state, ports.endpoints.includes(outside)]).toEqual(['searching', false]);
  reachability.heard(cara, outside, 'reached');
  expect([ports.mapped, ports.endpoints[0]]).toEqual([outside, outside]);
  expect(ports.states[0]).toMatchObject({ state: 'open', via: null, outside });
});

test('what the router opened under another number is not guessed at, and neither is an address of this machine', async () => {
  const { router, observed, ports } = await open();
  observed.hosts.push('11.22.33.44');
  router.ports.get(ports.dataPort)?.({ state: 'open', via: 'pcp', outside: '11.22.33.44:40002' });
  expect(ports.doors).toEqual(['11.22.33.44:40002']);
  const { observed: seen, ports: inTheOpen } = await open({ addresses: ['127.0.0.1'] });
  seen.hosts.push('127.0.0.1');
  expect(inTheOpen.doors).toEqual([]);
});

test('an outside address that the world cannot reach is not told to members', async () => {
  const { router, ports } = await open();
  router.ports.get(ports.dataPort)?.({ state: 'unreachable', via: 'pcp', outside: '100.64.0.9:6881' });
  expect(ports.mapped).toBeNull();
  expect(ports.endpoints).not.toContain('100.64.0.9:6881');
  expect(ports.states[0]).toMatchObject({ state: 'unreachable', outside: '100.64.0.9:6881' });
});

test('an extra port that is taken is told as such and keeps nothing else from working', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '::', resolve));
  onTestFinished(() => void other.close());
  const taken = (other.address() as { port: number }).port;
  const { router, ports } = await open({ extraPorts: [taken] });
  expect(ports.states[2]).toMatchObject({ purpose: 'extra', port: taken, state: 'closed', failure: 'EADDRINUSE' });
  expect(router.ports.has(taken)).toBe(false);
  expect(ports.endpoints.some((endpoint) => endpoint.endsWith(`:${taken}`))).toBe(false);
});

test('on loopback only, no router is asked', async () => {
  const { router, ports } = await open({ addresses: ['127.0.0.1'] });
  expect(router.ports.size).toBe(0);
  expect(ports.states.map(({ state }) => state)).toEqual(['unmapped', 'unmapped']);
  expect(ports.endpoints).toEqual([`127.0.0.1:${ports.dataPort}`]);
});

test('that the router lets an address in again which it kept out is told, though the endpoints are the same', async () => {
  const { router, ports, opened } = await open();
  const say = router.pinholes.get(ports.dataPort);
  const hole = { address: '2001:db8::1', port: ports.dataPort };
  const seen = [false, true, true, false, true].map((isOpen) => {
    say?.([{ ...hole, open: isOpen }]);
    return opened.pinholes;
  });
  expect(seen).toEqual([0, 1, 1, 1, 2]);
});

test('no more endpoints are told than one message holds', async () => {
  const addresses = Array.from({ length: 40 }, (_, index) => `127.0.1.${index + 1}`);
  const { ports } = await open({ addresses });
  expect(ports.endpoints).toHaveLength(32);
});
