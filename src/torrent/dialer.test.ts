import { expect, test } from 'vitest';
import { ben, cara, infoHash, sphereId, startDialer } from '../../test/fixtures/dialing.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import type { DialRequest } from './dialer.ts';
import { sphereMark } from './sphere-mark.ts';

test('a member is called at once when its address arrives, and not again while connected', async () => {
  const { dialer, clock, calls } = startDialer(() => 'connected');
  await clock.advance(60_000);
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(600_000);
  expect(calls).toEqual([{ endpoint: '192.0.2.1:6881', attempt: 0, atMs: 60_000 }]);
});

test('a refused call is repeated with growing pauses and alternating epochs', async () => {
  const { dialer, clock, calls } = startDialer(() => 'refused');
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(20_000);
  expect(calls.map(({ attempt }) => attempt)).toEqual([0, 1, 2, 3, 4]);
  expect(calls.map(({ atMs }) => Math.round(atMs / 1000))).toEqual([0, 1, 3, 7, 15]);
});

test('a member who has a torrent in the sphere that goes on, and not yet in the new one, is called in both', async () => {
  const next = parseSphereId('6'.repeat(64));
  const answer = (request: DialRequest) => (request.sphereId === next ? 'refused' : 'connected');
  const { dialer, clock, requests, state } = startDialer(answer, 0, [infoHash], [next, sphereId]);
  for (const id of [next, sphereId]) dialer.setEndpoints(id, ben, ['192.0.2.1:6881']);
  await clock.advance(1);
  expect(requests.map((request) => request.sphereId)).toEqual([next, sphereId]);
  expect(state.connected.has(ben)).toBe(true);
});

test('an address where nothing answers is left alone by all torrents for a while', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(15_000);
  expect(calls.map(({ atMs }) => Math.round(atMs / 1000))).toEqual([0, 2, 6, 14]);
});

test('we never call our own address, nor devices that are not listed', async () => {
  const { dialer, clock, state, calls } = startDialer(() => 'connected');
  dialer.setEndpoints(sphereId, ben, ['127.0.0.1:1']);
  await clock.advance(5_000);
  state.listed = false;
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(5_000);
  expect(calls).toEqual([]);
});

test('a torrent that wants nothing calls nobody until it does', async () => {
  const { dialer, clock, state, calls } = startDialer(() => 'connected');
  state.appetite = 'none';
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(60_000);
  expect(calls).toEqual([]);
  state.appetite = 'eager';
  dialer.wake();
  await clock.advance(1);
  expect(calls).toHaveLength(1);
});

test('a full copy offers itself less and less often', async () => {
  const { dialer, clock, state, calls } = startDialer(() => 'refused');
  state.appetite = 'lazy';
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(3_600_000);
  expect(calls.length).toBeLessThan(12);
});

test('an address from a tracker is called and remembered as its device', async () => {
  const { dialer, clock, state, calls } = startDialer(() => 'connected');
  dialer.found(infoHash, '192.0.2.9:6881', 'tracker');
  await clock.advance(60_000);
  expect(calls).toHaveLength(1);
  state.connected.clear();
  dialer.wake();
  await clock.advance(60_000);
  expect(calls).toHaveLength(2);
});

test('addresses that nobody names any more are forgotten, or a restless member would fill the memory', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  dialer.found(infoHash, '192.0.2.9:6881', 'tracker');
  for (let number = 1; number <= 200; number += 1) {
    dialer.setEndpoints(sphereId, ben, [`192.0.2.1:${number}`, `192.0.2.2:${number}`]);
    await clock.advance(100);
  }
  expect(calls.length).toBeGreaterThan(200);
  expect(dialer.known).toBe(3);
  dialer.forgetSphere(sphereId);
  expect(dialer.known).toBe(1);
  dialer.forgetTorrent(infoHash);
  expect(dialer.known).toBe(0);
});

test('what a device told that is in the sphere no longer is forgotten', async () => {
  const { dialer, clock } = startDialer(() => 'unreachable');
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:1']);
  dialer.setEndpoints(sphereId, cara, ['192.0.2.2:1']);
  await clock.advance(100);
  dialer.keepOnly(sphereId, [cara]);
  expect([Array.from(dialer.callees(sphereId).keys()), dialer.known]).toEqual([[cara], 1]);
});

test('a member that repeats a stranger’s address does not have it called more than once a minute for that', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  for (let word = 0; word < 600; word += 1) {
    dialer.setEndpoints(sphereId, ben, ['203.0.113.1:1']);
    await clock.advance(1_000);
  }
  // Ten times forgiven, and each time the first calls of a growing pause.
  expect(calls.length).toBeGreaterThan(10);
  expect(calls.length).toBeLessThan(70);
});

test('where a member was met it is called at once whenever it tells its address again', async () => {
  let isThere = true;
  const { dialer, clock, state, calls } = startDialer(() => (isThere ? 'connected' : 'unreachable'));
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:1']);
  await clock.advance(1_000);
  isThere = false;
  state.connected.clear();
  dialer.wake();
  await clock.advance(30_000);
  const before = calls.length;
  for (let word = 0; word < 3; word += 1) {
    dialer.setEndpoints(sphereId, ben, ['192.0.2.1:1']);
    await clock.advance(100);
  }
  expect(calls.length - before).toBe(3);
});

const lies = (count: number, host: string): string[] => Array.from({ length: count }, (_, n) => `${host}:${1000 + n}`);

test('a tracker that names false addresses keeps no true one out', async () => {
  const { dialer, clock, calls } = startDialer((request) =>
    request.endpoint.startsWith('192.0.2.') ? 'connected' : 'unreachable',
  );
  for (const host of ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4', '198.51.100.5']) {
    for (const endpoint of lies(200, host)) dialer.found(infoHash, endpoint, `tracker at ${host}`);
  }
  await clock.advance(1000);
  dialer.found(infoHash, '192.0.2.9:6881', 'another tracker');
  await clock.advance(1000);
  expect(calls.map(({ endpoint }) => endpoint)).toContain('192.0.2.9:6881');
  expect(dialer.known).toBeLessThanOrEqual(64);
});

test('a member is called at once, whatever false addresses a tracker and another member have named', async () => {
  const { dialer, clock, calls } = startDialer(
    (request) => (request.endpoint.startsWith('192.0.2.') ? 'connected' : 'unreachable'),
    5000,
  );
  for (const endpoint of lies(64, '198.51.100.1')) dialer.found(infoHash, endpoint, 'tracker');
  dialer.setEndpoints(sphereId, cara, lies(32, '203.0.113.1'));
  await clock.advance(600_000);
  const atMs = Math.round(clock.monotonic());
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(10);
  expect(calls.at(-1)).toEqual({ endpoint: '192.0.2.1:6881', attempt: 0, atMs });
});

test('a tracker has a few of the calls, and what members say of themselves goes first', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable', 5000);
  dialer.setEndpoints(sphereId, cara, ['203.0.113.1:1']);
  for (const endpoint of lies(16, '198.51.100.1')) dialer.found(infoHash, endpoint, 'tracker');
  await clock.advance(1000);
  expect(calls[0]?.endpoint).toBe('203.0.113.1:1');
  expect(calls).toHaveLength(5);
});

test('in another network an address where a member was met is called before all others', async () => {
  const { dialer, clock, state, calls } = startDialer((request) =>
    request.endpoint === '192.0.2.9:6881' ? 'connected' : 'refused',
  );
  dialer.found(infoHash, '192.0.2.9:6881', 'tracker');
  await clock.advance(1000);
  state.connected.clear();
  state.appetite = 'none';
  dialer.setEndpoints(sphereId, cara, lies(4, '203.0.113.1'));
  await clock.advance(60_000);
  state.appetite = 'eager';
  dialer.forgiveAll();
  calls.length = 0;
  await clock.advance(10);
  expect(calls[0]?.endpoint).toBe('192.0.2.9:6881');
});

test('an address from a tracker where nobody was met for half an hour is forgotten', async () => {
  const { dialer, clock } = startDialer(() => 'unreachable');
  dialer.found(infoHash, '198.51.100.1:1', 'tracker');
  await clock.advance(29 * 60_000);
  expect(dialer.known).toBe(1);
  await clock.advance(3 * 60_000);
  expect(dialer.known).toBe(0);
});

test('a thousand full copies call seldom, and at once for what a member wants when it is asked', async () => {
  const infoHashes = Array.from({ length: 1000 }, (_, index) => parseInfoHash(index.toString(16).padStart(40, '0')));
  const { dialer, clock, state, calls, requests } = startDialer(() => 'refused', 0, infoHashes);
  state.appetite = 'lazy';
  dialer.setEndpoints(sphereId, ben, ['192.0.2.1:6881']);
  await clock.advance(60_000);
  expect(calls.length).toBeLessThan(30);
  const [wanted] = infoHashes.filter((each) => requests.every((request) => request.infoHash !== each));
  if (wanted === undefined) throw new Error('all of them were called for');
  const admitted = { sphereId, infoHash: sphereMark(sphereId), device: ben, purpose: 'wants' } as const;
  dialer.wants({ admitted, route: { path: 'tcp', address: '192.0.2.1:6881' } }, [wanted]);
  await clock.advance(1_000);
  expect(requests.some(({ infoHash: called }) => called === wanted)).toBe(true);
});

test('who wants something and was found by a tracker for another torrent is called where it was found', async () => {
  const other = parseInfoHash('2'.repeat(40));
  const { dialer, clock, state, requests } = startDialer(() => 'refused', 0, [other]);
  state.appetite = 'lazy';
  const admitted = { sphereId, infoHash: sphereMark(sphereId), device: ben, purpose: 'wants' } as const;
  dialer.wants({ admitted, route: { path: 'tcp', address: '192.0.2.9:6881' } }, [other]);
  await clock.advance(100);
  expect(requests.map(({ infoHash: called, endpoint }) => [called, endpoint])).toEqual([[other, '192.0.2.9:6881']]);
});
