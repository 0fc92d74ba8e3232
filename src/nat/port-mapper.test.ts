import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import type { FindGateway, Gateway, GatewayKind, InnerPort, Mapping, MappingRequest } from './gateway.ts';
import { refusal } from './gateway.ts';
import type { KeptPort, PortState } from './kept-port.ts';
import { PortMapper } from './port-mapper.ts';

const MINUTE = 60_000;

/** A router in memory, whose behaviour the test changes. */
class FakeGateway implements Gateway {
  readonly kind: GatewayKind;
  readonly address: string;
  readonly open = new Set<number>();
  readonly mapped: MappingRequest[] = [];
  unmapped = 0;
  outside = '11.22.33.44';
  externalPort: number | null = null;
  lifetimeSeconds: number | null = 1_200;
  mood: 'willing' | 'refusing' | 'silent' | 'hanging' = 'willing';
  kept = true;

  constructor(kind: GatewayKind = 'pcp', address = '192.168.1.1') {
    this.kind = kind;
    this.address = address;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Mapping> {
    this.mapped.push(request);
    if (this.mood === 'hanging') await new Promise((_, reject) => signal.addEventListener('abort', reject));
    if (this.mood === 'refusing') throw refusal(this.kind, 2);
    if (this.mood === 'silent') throw new AppError('timed-out', 'silence');
    this.open.add(request.internalPort);
    this.kept = true;
    const externalPort = this.externalPort ?? request.wantedExternalPort;
    const { outside, lifetimeSeconds } = this;
    return { ...request, internalAddress: '192.168.1.9', externalAddress: outside, externalPort, lifetimeSeconds };
  }

  async unmap(port: InnerPort, signal: AbortSignal): Promise<void> {
    this.unmapped += 1;
    if (this.mood === 'hanging') await new Promise((_, reject) => signal.addEventListener('abort', reject));
    this.open.delete(port.internalPort);
  }

  async isKept(): Promise<boolean> {
    if (this.mood === 'silent') throw new AppError('timed-out', 'silence');
    return this.kept;
  }
}

class Bench implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly states: PortState[] = [];
  searches = 0;
  readonly mapper: PortMapper;

  addresses6: readonly string[] = [];
  announce: (router: string) => void = () => undefined;

  constructor(finders: readonly FindGateway[], pinholes: (address: string) => FindGateway[] = () => []) {
    const ports = async (): Promise<readonly FindGateway[]> => {
      this.searches += 1;
      return Promise.resolve(finders);
    };
    const listen = (onRestart: (router: string) => void): AsyncDisposable => {
      this.announce = onRestart;
      return { [Symbol.asyncDispose]: () => Promise.resolve() };
    };
    const random = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length);
    this.mapper = new PortMapper({
      clock: this.clock,
      random,
      log: silentLogger,
      finders: { ports, pinholes: (address) => () => Promise.resolve(pinholes(address)) },
      addresses6: () => this.addresses6,
      listen,
    });
  }

  async keep(port = 40_001): Promise<KeptPort> {
    const kept = this.mapper.keep('tcp', port);
    kept.changes.on((state) => this.states.push(state));
    await this.clock.advance(0);
    return kept;
  }

  get state(): PortState | undefined {
    return this.states.at(-1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const done = this.mapper[Symbol.asyncDispose]();
    await this.clock.advance(5_000);
    await done;
  }
}

const found =
  (gateway: Gateway): FindGateway =>
  () =>
    Promise.resolve(gateway);
const nothing: FindGateway = () => Promise.reject(new AppError('not-found', 'no router'));

test('nothing is asked before a port is wanted', async () => {
  await using bench = new Bench([found(new FakeGateway())]);
  await bench.clock.advance(60 * MINUTE);
  expect(bench.searches).toBe(0);
});

test('the port really granted is told, and asked for again at every renewal', async () => {
  const gateway = new FakeGateway();
  gateway.externalPort = 51_000;
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  expect(bench.state).toEqual({ kind: 'open', via: 'pcp', address: '11.22.33.44', port: 51_000 });
  await bench.clock.advance(10 * MINUTE);
  expect(gateway.mapped.map(({ wantedExternalPort }) => wantedExternalPort)).toEqual([40_001, 51_000]);
  expect(bench.states).toHaveLength(1);
});

test('the first router that grants wins, one that refuses is passed over', async () => {
  const refusing = new FakeGateway('pcp');
  refusing.mood = 'refusing';
  const late = new FakeGateway('upnp');
  const afterAWhile: FindGateway = () => new Promise((resolve) => setImmediate(() => resolve(late)));
  const willing = new FakeGateway('nat-pmp');
  await using bench = new Bench([found(refusing), afterAWhile, found(willing), nothing]);
  await bench.keep();
  await bench.clock.advance(0);
  expect(bench.state).toMatchObject({ kind: 'open', via: 'nat-pmp' });
  expect(late.mapped).toEqual([]);
});

test('two ports share one search', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await Promise.all([bench.keep(40_001), bench.keep(40_002)]);
  expect(bench.searches).toBe(1);
  expect([...gateway.open]).toEqual([40_001, 40_002]);
});

test.each([
  [1_200, 6],
  [7_200, 6],
  [120, 60],
  [null, 6],
])('a lease of %s s is renewed at half its time, every ten minutes at least', async (lifetimeSeconds, perHour) => {
  const gateway = new FakeGateway();
  gateway.lifetimeSeconds = lifetimeSeconds;
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(60 * MINUTE);
  expect(gateway.mapped).toHaveLength(1 + perHour);
  expect(gateway.mapped.every((request) => request.lifetimeSeconds <= 3_600)).toBe(true);
});

test('a lease of one second does not make a storm', async () => {
  const gateway = new FakeGateway();
  gateway.lifetimeSeconds = 1;
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(MINUTE);
  expect(gateway.mapped.length).toBeLessThanOrEqual(16);
});

test('a restarted router gets the mapping again within a minute', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(3 * MINUTE);
  expect(gateway.mapped).toHaveLength(1);
  gateway.kept = false;
  gateway.outside = '11.22.33.55';
  await bench.clock.advance(MINUTE);
  expect(gateway.mapped).toHaveLength(2);
  expect(bench.state).toMatchObject({ kind: 'open', address: '11.22.33.55' });
});

test('a router that refuses to renew keeps the port until the lease ends', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  gateway.mood = 'refusing';
  await bench.clock.advance(19 * MINUTE);
  expect(bench.state).toMatchObject({ kind: 'open' });
  await bench.clock.advance(2 * MINUTE);
  expect(bench.state).toEqual({ kind: 'closed' });
  gateway.mood = 'willing';
  await bench.clock.advance(6 * MINUTE);
  expect(bench.state).toMatchObject({ kind: 'open' });
});

test('a mapping that is known to be lost and is refused is told at once', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  gateway.kept = false;
  gateway.mood = 'refusing';
  await bench.clock.advance(MINUTE);
  expect(bench.state).toEqual({ kind: 'closed' });
});

test('a router that falls silent is replaced by another that answers', async () => {
  const old = new FakeGateway();
  const other = new FakeGateway('upnp');
  other.outside = '11.22.33.99';
  let now: Gateway = old;
  await using bench = new Bench([() => Promise.resolve(now)]);
  await bench.keep();
  old.mood = 'silent';
  now = other;
  await bench.clock.advance(MINUTE);
  expect(bench.state).toMatchObject({ kind: 'open', via: 'upnp', address: '11.22.33.99' });
});

test.each(['192.168.0.5', '100.64.1.2', '0.0.0.0', ''])(
  'an outside address %j is told as not reachable',
  async (address) => {
    const gateway = new FakeGateway();
    gateway.outside = address;
    await using bench = new Bench([found(gateway)]);
    await bench.keep();
    expect(bench.state).toEqual({ kind: 'unreachable', via: 'pcp', address, port: 40_001 });
  },
);

test('without a router the search is repeated, at longer and longer distances', async () => {
  await using bench = new Bench([nothing, nothing]);
  await bench.keep();
  expect(bench.state).toEqual({ kind: 'closed' });
  await bench.clock.advance(60 * MINUTE);
  expect(bench.searches).toBeGreaterThan(10);
  expect(bench.searches).toBeLessThan(40);
});

test('disposing closes the port on the router and ends all asking', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  const kept = await bench.keep();
  await kept[Symbol.asyncDispose]();
  expect(gateway.open.size).toBe(0);
  await bench.clock.advance(60 * MINUTE);
  expect(gateway.mapped).toHaveLength(1);
});

test('a mapping whose answer was never seen is removed too', async () => {
  const gateway = new FakeGateway();
  gateway.mood = 'hanging';
  await using bench = new Bench([found(gateway)]);
  const kept = await bench.keep();
  expect(gateway.mapped).toHaveLength(1);
  gateway.open.add(40_001);
  const done = kept[Symbol.asyncDispose]();
  gateway.mood = 'willing';
  await done;
  expect(gateway.open.size).toBe(0);
});

test('a router that does not answer holds up the end for two seconds at most', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  const kept = await bench.keep();
  gateway.mood = 'hanging';
  let ended = false;
  const done = kept[Symbol.asyncDispose]().then(() => (ended = true));
  await bench.clock.advance(1_000);
  expect(ended).toBe(false);
  await bench.clock.advance(1_000);
  expect(ended).toBe(true);
  await done;
});

test('disposing the mapper ends a search that is under way', async () => {
  const hanging: FindGateway = (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const bench = new Bench([hanging]);
  const kept = await bench.keep();
  await bench[Symbol.asyncDispose]();
  expect(kept.state).toEqual({ kind: 'searching' });
});

test('a suspicion makes the mapping anew within four seconds, a thousand of them no storm', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(30_000);
  expect(gateway.mapped).toHaveLength(1);
  gateway.outside = '11.22.33.55';
  bench.mapper.checkNow();
  await bench.clock.advance(0);
  expect(bench.state).toMatchObject({ kind: 'open', address: '11.22.33.55' });
  const before = gateway.mapped.length;
  for (let count = 0; count < 1_000; count += 1) {
    bench.mapper.checkNow();
    await bench.clock.advance(60);
  }
  expect(gateway.mapped.length - before).toBeLessThanOrEqual(15);
});

test('a suspicion ends the wait for another try', async () => {
  const gateway = new FakeGateway();
  gateway.mood = 'refusing';
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(60 * MINUTE);
  expect(bench.state).toEqual({ kind: 'closed' });
  gateway.mood = 'willing';
  bench.mapper.checkNow();
  await bench.clock.advance(4_000);
  expect(bench.state).toMatchObject({ kind: 'open' });
});

test('a router that was silent for minutes has the mapping again ten seconds after it is back', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  gateway.mood = 'silent';
  await bench.clock.advance(5 * MINUTE);
  const before = gateway.mapped.length;
  gateway.mood = 'willing';
  gateway.kept = false;
  await bench.clock.advance(10_000);
  expect(gateway.mapped).toHaveLength(before + 1);
  expect(bench.states).toHaveLength(1);
});

test('a restart that our router announces is acted upon, one that a stranger announces is not', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(10_000);
  bench.announce('192.168.1.66');
  await bench.clock.advance(5_000);
  expect(gateway.mapped).toHaveLength(1);
  bench.announce('192.168.1.1');
  await bench.clock.advance(0);
  expect(gateway.mapped).toHaveLength(2);
});

test('of two routers the one with a public address is used, and the other keeps no mapping', async () => {
  const tunnel = new FakeGateway('pcp', '10.8.0.1');
  tunnel.outside = '100.64.0.9';
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
  byPcp.outside = byUpnp.outside = '100.64.0.9';
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
    gateway.outside = address;
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
