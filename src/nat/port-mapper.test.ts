import { expect, test } from 'vitest';
import { Bench, FakeGateway, found, nothing, TalkativeGateway } from '../../test/fixtures/mapper-bench.ts';
import type { FindGateway, Gateway } from './gateway.ts';

const MINUTE = 60_000;

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
  gateway.outsideAddress = '11.22.33.55';
  await bench.clock.advance(MINUTE);
  expect(gateway.mapped).toHaveLength(2);
  expect(bench.state).toMatchObject({ kind: 'open', address: '11.22.33.55' });
});

test.each([
  ['100.64.0.9', 'unreachable'],
  ['0.0.0.0', 'unreachable'],
  ['11.22.33.44', 'closed'],
  ['', 'unreachable'],
])('a router that refuses and is outside %s is told as %s', async (address, kind) => {
  const gateway = new TalkativeGateway('upnp');
  gateway.mood = 'refusing';
  gateway.outsideAddress = address;
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  expect(bench.state).toMatchObject({ kind });
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
  other.outsideAddress = '11.22.33.99';
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
    gateway.outsideAddress = address;
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
  gateway.outsideAddress = '11.22.33.55';
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

test('a port that the router has forgotten is told as not open until it is, at the same place too', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  await bench.clock.advance(30_000);
  bench.mapper.checkNow();
  await bench.clock.advance(0);
  expect(bench.states.map(({ kind }) => kind)).toEqual(['open']);
  await bench.clock.advance(30_000);
  gateway.kept = false;
  bench.mapper.checkNow();
  await bench.clock.advance(0);
  expect(bench.states.map(({ kind }) => kind)).toEqual(['open', 'searching', 'open']);
  expect(bench.states[2]).toEqual(bench.states[0]);
});

test('of a router that always seems to have forgotten, nobody is told each minute', async () => {
  const gateway = new FakeGateway();
  await using bench = new Bench([found(gateway)]);
  await bench.keep();
  gateway.alwaysForgets = true;
  await bench.clock.advance(10 * MINUTE);
  expect(bench.states.map(({ kind }) => kind)).toEqual(['open', 'searching', 'open']);
  expect(gateway.mapped.length).toBeGreaterThan(9);
  gateway.alwaysForgets = false;
  await bench.clock.advance(2 * MINUTE);
  gateway.kept = false;
  await bench.clock.advance(MINUTE);
  expect(bench.states.map(({ kind }) => kind).slice(3)).toEqual(['searching', 'open']);
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
  expect(bench.states.map(({ kind }) => kind)).toEqual(['open', 'searching', 'open']);
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
