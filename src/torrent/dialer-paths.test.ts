import { expect, test } from 'vitest';
import { ben, cara, infoHash, sphereId, startDialer } from '../../test/fixtures/dialing.ts';
import { parseInfoHash } from '../base/id.ts';

const near = '192.168.1.2:6881';
const six = '[2a00:1450::2]:6881';
const mapped = '11.22.33.1:6881';
const rtc = `webrtc ${ben}`;

test('all paths are tried, the better ones first, none waits for another to fail', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable', 5_000);
  dialer.setEndpoints(sphereId, ben, [mapped, near, six], true);
  await clock.advance(1_000);
  expect(calls.map(({ endpoint, atMs }) => [endpoint, atMs])).toEqual([
    [near, 0],
    [six, 0],
    [mapped, 300],
    [rtc, 600],
  ]);
});

test('nobody waits for a path that the device does not have', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable', 5_000);
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  dialer.setEndpoints(sphereId, cara, [near], true);
  await clock.advance(1_000);
  expect(calls.map(({ endpoint, atMs }) => [endpoint, atMs])).toEqual([
    [mapped, 0],
    [near, 0],
    [rtc, 300],
    [`webrtc ${cara}`, 300],
  ]);
});

test('a path that connects at once keeps the worse ones from being tried', async () => {
  const { dialer, clock, calls } = startDialer(() => 'connected');
  dialer.setEndpoints(sphereId, ben, [mapped, near], true);
  await clock.advance(60_000);
  expect(calls.map(({ endpoint }) => endpoint)).toEqual([near]);
});

test('a better path that opens is taken within a second, while others’ silent addresses are being called', async () => {
  let isOpen = false;
  const { dialer, clock, calls, state } = startDialer(
    ({ endpoint }) => (endpoint === rtc || (isOpen && endpoint === mapped) ? 'connected' : 'unreachable'),
    5_000,
  );
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(20_000);
  expect(state.connected.get(ben)).toBe(2);
  const silent = Array.from({ length: 8 }, (_, host) => [`192.168.7.${host}:1`, `11.22.44.${host}:1`]).flat();
  dialer.setEndpoints(sphereId, cara, silent);
  await clock.advance(1_000);
  expect(calls.filter(({ endpoint }) => silent.includes(endpoint)).length).toBeGreaterThanOrEqual(8);
  // Its router has opened the port.
  isOpen = true;
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(1_000);
  expect(state.connected.get(ben)).toBe(0);
});

test('a neighbour who announces itself all the time and is no member is not called all the time', async () => {
  const { dialer, clock, calls } = startDialer(() => 'refused');
  for (let word = 0; word < 120; word += 1) {
    dialer.near(sphereId, near, '192.168.1.2');
    await clock.advance(500);
  }
  expect(calls.length).toBeGreaterThan(5);
  expect(calls.length).toBeLessThan(30);
});

test('while WebRTC serves, a better path is tried every few minutes', async () => {
  let isOpen = false;
  const { dialer, clock, calls, state } = startDialer(({ path }) =>
    path === 'webrtc' || isOpen ? 'connected' : 'unreachable',
  );
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(600_000);
  expect(calls.filter(({ endpoint }) => endpoint === rtc)).toHaveLength(1);
  const before = calls.length;
  await clock.advance(1_800_000);
  expect(calls.length - before).toBeGreaterThan(5);
  expect(calls.length - before).toBeLessThan(20);
  isOpen = true;
  await clock.advance(300_000);
  expect(state.connected.get(ben)).toBe(0);
});

test('a device in doubt is called every few seconds where it was met, for as long as the network is away', async () => {
  let isCut = false;
  const { dialer, clock, calls, state } = startDialer(() => (isCut ? 'unreachable' : 'connected'), 1_000);
  state.appetite = 'lazy';
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(10_000);
  isCut = true;
  state.connected.delete(ben);
  state.suspects.add(ben);
  dialer.wake();
  calls.length = 0;
  await clock.advance(60_000);
  const [first, ...pauses] = calls.slice(1).map(({ atMs }, index) => atMs - (calls[index]?.atMs ?? 0));
  expect(first).toBeLessThanOrEqual(2_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(4_100);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(3_000);
  isCut = false;
  await clock.advance(4_100);
  expect(state.connected.get(ben)).toBe(0);
});

test('a member who fetches an item long after it was shared is called at once, and is not called more for saying so often', async () => {
  let isFetching = false;
  const { dialer, clock, calls, state } = startDialer(() => (isFetching ? 'connected' : 'refused'));
  state.appetite = 'lazy';
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(75_000);
  calls.length = 0;
  for (let word = 0; word < 100; word += 1) dialer.wanted(sphereId, infoHash, ben);
  await clock.advance(100);
  expect(calls).toHaveLength(1);
  await clock.advance(900);
  isFetching = true;
  // It may not have been ready the first time: it is called as if a person waited here.
  await clock.advance(2_000);
  expect(state.connected.get(ben)).toBe(0);
});

test('a device that fell away during a transfer is called at once, although only its full copy was offered', async () => {
  let isCut = false;
  const { dialer, clock, calls, state } = startDialer(() => (isCut ? 'unreachable' : 'connected'));
  state.appetite = 'lazy';
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(100_000);
  isCut = true;
  state.connected.delete(ben);
  calls.length = 0;
  dialer.lost(infoHash, ben);
  await clock.advance(60_000);
  expect(calls.length).toBeGreaterThan(15);
  await clock.advance(600_000);
  calls.length = 0;
  await clock.advance(600_000);
  expect(calls.length).toBeLessThan(8);
});

test('a member that tells the same addresses again has come back, and is called at once', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(1_000_000);
  calls.length = 0;
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(10);
  expect(calls).toHaveLength(1);
});

test('in another network nothing that failed before counts', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(600_000);
  calls.length = 0;
  dialer.forgiveAll();
  await clock.advance(10);
  expect(calls.map(({ endpoint }) => endpoint).toSorted()).toEqual([mapped, rtc].toSorted());
});

test('a call that began before the network came back and fails after it is repeated at once', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable', 5_000);
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(4_000);
  dialer.forgiveAll();
  await clock.advance(1_020);
  expect(calls.map(({ atMs }) => Math.round(atMs / 100))).toEqual([0, 50]);
});

test('who is heard in the own network is called for all torrents of the sphere, once it is known who it is for none in vain', async () => {
  const hashes = ['1', '2', '3'].map((digit) => parseInfoHash(digit.repeat(40)));
  const { dialer, clock, calls } = startDialer(() => 'connected', 0, hashes);
  dialer.near(sphereId, near, '192.168.1.2');
  await clock.advance(60_000);
  expect(calls.map(({ endpoint }) => endpoint)).toEqual([near]);
});

test('a member that announces itself again is called again, but not for every announcement', async () => {
  const { dialer, clock, calls } = startDialer(() => 'unreachable');
  dialer.near(sphereId, near, '192.168.1.2');
  await clock.advance(300_000);
  calls.length = 0;
  for (let time = 0; time < 100; time += 1) {
    dialer.near(sphereId, near, '192.168.1.2');
    await clock.advance(10);
  }
  expect(calls).toHaveLength(1);
});

test('one call finds out for all torrents whether anything answers', async () => {
  const hashes = Array.from({ length: 50 }, (_, index) => parseInfoHash(index.toString(16).padStart(40, '0')));
  const { dialer, clock, calls } = startDialer(() => 'unreachable', 5_000, hashes);
  dialer.setEndpoints(sphereId, ben, [near, mapped], true);
  await clock.advance(4_000);
  expect(calls.map(({ endpoint }) => endpoint)).toEqual([near, mapped, rtc]);
});

test('a device that is called over WebRTC no more is forgotten there', async () => {
  const { dialer, clock } = startDialer(() => 'unreachable');
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(1_000);
  expect(dialer.known).toBe(2);
  dialer.setEndpoints(sphereId, ben, [mapped], false);
  expect(dialer.known).toBe(1);
});

test('beside a relay a direct way is looked for when an address changes, else seldom, and once found no more', async () => {
  let isDirect = false;
  const { dialer, clock, calls, state } = startDialer(({ path, isForBetter }) =>
    path === 'webrtc' && (!isForBetter || isDirect) ? 'connected' : 'unreachable',
  );
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(1_000);
  // It went over a relay, and is settled.
  const ofRtc = (): number => calls.filter(({ endpoint }) => endpoint === rtc).length;
  state.connected.set(ben, 3);
  dialer.setEndpoints(sphereId, ben, [mapped, near], true);
  await clock.advance(1_000);
  expect(ofRtc()).toBe(2);
  await clock.advance(3_600_000);
  expect(ofRtc() - 2).toBeGreaterThan(3);
  expect(ofRtc() - 2).toBeLessThan(9);
  // Saying the same again, as everybody does when somebody comes, is no reason.
  const before = ofRtc();
  for (let time = 0; time < 10; time += 1) {
    dialer.setEndpoints(sphereId, ben, [mapped, near], true);
    await clock.advance(100);
  }
  expect(ofRtc() - before).toBeLessThan(2);
  isDirect = true;
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(1_000);
  expect(state.connected.get(ben)).toBe(2);
  const found = ofRtc();
  dialer.setEndpoints(sphereId, ben, [near], true);
  await clock.advance(3_600_000);
  expect(ofRtc()).toBe(found);
});

test('who comes into the same network is called there at once, while the internet serves, and only there', async () => {
  const { dialer, clock, calls, state } = startDialer(() => 'connected');
  state.connected.set(ben, 1);
  dialer.setEndpoints(sphereId, ben, [mapped], true);
  await clock.advance(60_000);
  expect(calls).toEqual([]);
  dialer.setEndpoints(sphereId, ben, [mapped, near], true);
  await clock.advance(100);
  expect(calls.map(({ endpoint }) => endpoint)).toEqual([near]);
  expect(state.connected.get(ben)).toBe(0);
  await clock.advance(3_600_000);
  expect(calls).toHaveLength(1);
});

test('two ends that see their paths differently do not go to and fro all the time', async () => {
  const { dialer, clock, calls, state } = startDialer(() => 'connected');
  state.connected.set(ben, 1);
  dialer.setEndpoints(sphereId, ben, [near]);
  for (let second = 0; second < 3_600; second += 1) {
    await clock.advance(1_000);
    state.connected.set(ben, 1);
  }
  expect(calls.length).toBeGreaterThan(5);
  expect(calls.length).toBeLessThan(16);
});

test('a port that opens is called while WebRTC serves, although the addresses of the other home are told before it', async () => {
  const { dialer, clock, calls, state } = startDialer(
    ({ endpoint }) => (endpoint === near ? 'unreachable' : 'connected'),
    5_000,
  );
  state.connected.set(ben, 2);
  dialer.setEndpoints(sphereId, ben, [near, mapped], true);
  await clock.advance(100);
  expect(calls.map(({ endpoint }) => endpoint).toSorted()).toEqual([mapped, near]);
  expect(state.connected.get(ben)).toBe(0);
});

test('a lost device is called again within a second when the first call fails, and then every few seconds', async () => {
  const other = parseInfoHash('2'.repeat(40));
  let isThere = true;
  const answer = () => (isThere ? 'connected' : 'unreachable');
  const { dialer, clock, calls, state } = startDialer(answer, 250, [infoHash, other]);
  dialer.setEndpoints(sphereId, ben, [mapped]);
  await clock.advance(20_000);
  isThere = false;
  state.connected.clear();
  calls.length = 0;
  const lostMs = clock.monotonic();
  for (const each of [infoHash, other]) dialer.lost(each, ben);
  await clock.advance(8_000);
  const seconds = calls.map(({ atMs }) => (atMs - lostMs) / 1_000);
  expect(seconds).toEqual([0, 0, 1, 1, 4.25, 4.25, 7.5, 7.5]);
});
