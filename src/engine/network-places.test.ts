import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import { NetworkPlaces } from './network-places.ts';

const { signal } = new AbortController();
const fail = (error: unknown): never => {
  throw error;
};
const HOME = '192.168.1.1 in 192.168.0.0/22';

/** A laptop that is carried about. */
function laptop(marked: readonly string[] = []) {
  const now = { gateways: ['192.168.1.1'], own: ['10.8.0.2/32', '192.168.3.7/22', 'fd00::7/64'], marked };
  const clock = new VirtualClock();
  const told: (readonly string[])[] = [];
  const feed = {
    onEvent: new Emitter<SwarmEvent>(fail),
    setDiscovery: async (addresses: readonly string[]) => void told.push(addresses),
  };
  const places = new NetworkPlaces({
    feed,
    gateways: async () => {
      if (now.gateways.length === 0) throw new AppError('not-found', 'no router');
      return now.gateways;
    },
    ownNetworks: () => now.own,
    marked: { get: () => now.marked, set: async (networks) => void (now.marked = networks) },
    scope: new Scope({ log: silentLogger }),
    clock,
    log: silentLogger,
  });
  const carriedTo = (router: string | null, address: string): void => {
    Object.assign(now, { gateways: router === null ? [] : [router], own: [address] });
    const entry = { name: 'w', address: address.replace(/\/.*/, ''), family: 4 as const, discovery: 'on' as const };
    const event = { kind: 'network', network: { interfaces: [entry] } } as unknown as SwarmEvent;
    feed.onEvent.emit(event);
  };
  return { now, places, told, carriedTo, clock };
}

test('a network is told by its router and range', async () => {
  const { places, told } = laptop();
  expect(await places.look(signal)).toEqual({ network: HOME, isPublic: false });
  expect(told).toEqual([['10.8.0.2', '192.168.3.7', 'fd00::7']]);
});

test('in a network that was called public nobody looks for members, and elsewhere again', async () => {
  const { now, places, told, carriedTo } = laptop();
  expect(await places.setPublic(true, signal)).toEqual({ network: HOME, isPublic: true });
  expect([now.marked, told.at(-1)]).toEqual([[HOME], []]);
  carriedTo('10.0.0.1', '10.0.0.9/24');
  await expect.poll(() => told.at(-1)).toEqual(['10.0.0.9']);
  carriedTo('192.168.1.1', '192.168.3.8/22');
  await expect.poll(() => told.at(-1)).toEqual([]);
  expect(await places.setPublic(false, signal)).toEqual({ network: HOME, isPublic: false });
  expect([now.marked, told.at(-1)]).toEqual([[], ['192.168.3.8']]);
});

test('what was called public before a restart is so from the first look on', async () => {
  const { places, told } = laptop([HOME]);
  expect(await places.look(signal)).toEqual({ network: HOME, isPublic: true });
  expect(told).toEqual([[]]);
});

test('without a router there is nothing to recognise, and nothing can be called public', async () => {
  const { now, places } = laptop();
  now.gateways = [];
  expect(await places.look(signal)).toEqual({ network: null, isPublic: false });
  await expect(places.setPublic(true, signal)).rejects.toMatchObject({ code: 'not-found' });
});

test('a public network whose route comes seconds after its address is never shown to', async () => {
  const { now, places, told, carriedTo, clock } = laptop([HOME]);
  const stop = new AbortController();
  const running = places.run(stop.signal).catch(() => undefined);
  carriedTo('10.0.0.1', '10.0.0.9/24');
  await expect.poll(() => told.at(-1)).toEqual(['10.0.0.9']);
  const before = told.length;
  carriedTo(null, '192.168.3.8/22');
  await expect.poll(() => told.length).toBe(before + 1);
  await clock.advance(3_000);
  now.gateways = ['192.168.1.1'];
  await clock.advance(60_000);
  expect(told.slice(before).flat()).toEqual([]);
  // Another router at the same address.
  now.gateways = ['192.168.2.1'];
  await clock.advance(10_000);
  expect(told.at(-1)).toEqual(['192.168.3.8']);
  stop.abort();
  await running;
});

test('where no router comes at all, members are looked for after a while', async () => {
  const { now, places, told, clock } = laptop([HOME]);
  Object.assign(now, { gateways: [], own: ['192.168.9.7/24', 'fd00::7/64'] });
  await places.look(signal);
  const stop = new AbortController();
  const running = places.run(stop.signal).catch(() => undefined);
  await clock.advance(10_000);
  expect(told.flat()).toEqual([]);
  await clock.advance(10_000);
  expect(told.at(-1)).toEqual(['192.168.9.7', 'fd00::7']);
  stop.abort();
  await running;
});
