import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import { NO_TORRENT } from '../torrent/admission.ts';
import type { Callee } from '../torrent/call-list.ts';
import type { DialOutcome } from '../torrent/dialer.ts';
import { pathOf } from '../torrent/route.ts';
import { sendSeenAddress } from '../torrent/seen-address.ts';
import type { CallOptions } from './caller.ts';
import { DoorCheck } from './door-check.ts';
import { mayCallFrom } from './may-call.ts';
import { ReachTeller } from './reach-teller.ts';

const sphereId = parseSphereId('5'.repeat(64));
const [ben, eve] = ['b', 'e'].map((digit) => parseDeviceKey(digit.repeat(64))) as [DeviceKey, DeviceKey];
const never = new AbortController().signal;
const OURS = '11.22.33.9:6881';

/** A device with Ben in one sphere, and Eve in none; whoever is called at an address of `answering` is the device there. */
function start(options: { told?: string[]; answering?: Record<string, DeviceKey> } = {}) {
  const clock = new VirtualClock(0);
  const called: string[] = [];
  const emitted: SwarmEvent[] = [];
  const running: Promise<void>[] = [];
  const doors: string[] = [];
  const callees: Callee[] = (options.told ?? []).map((endpoint) => {
    return { endpoint, path: pathOf(endpoint), device: ben, toldBy: ben, origin: ben };
  });
  const callInAnyEpoch = async ({ callee }: Omit<CallOptions, 'attempt'>): Promise<DialOutcome> => {
    called.push(callee.endpoint);
    const device = options.answering?.[callee.endpoint];
    if (device === undefined) return { kind: 'unreachable' };
    const [stream, other] = duplexPair();
    await sendSeenAddress(other, '11.22.33.9:50123', never);
    const admitted = { sphereId, infoHash: NO_TORRENT, device, purpose: 'probe' } as const;
    return {
      kind: 'connected',
      dialled: { admitted, stream, route: { path: 'tcp', address: callee.endpoint }, device },
    };
  };
  const isAtOurRouter = (endpoint: string): boolean => endpoint.startsWith('11.22.33.9:');
  const emit = (event: SwarmEvent): void => void emitted.push(event);
  const check = new DoorCheck({
    clock,
    log: silentLogger,
    caller: { callInAnyEpoch },
    teller: new ReachTeller({ clock, tell: emit, isAtOurRouter }),
    mayCall: mayCallFrom([]),
    addresses: ['10.1.1.7'],
    ports: () => ({ doors, isProven: false, own: new Set(['10.1.1.7:6881']), isAtOurRouter }),
    host: {
      admittingSpheres: [
        { sphereId, admissionKeys: [], isListed: (key) => key === ben, has: () => false, seeks: () => false },
      ],
    },
    callees: () => new Map([[ben, callees]]),
    emit,
    spawn: (_, task) => void running.push(task(never)),
  });
  const settled = async (): Promise<void> => {
    for (let count = 0; count < 3; count += 1) await Promise.all(running);
  };
  return { clock, check, called, emitted, doors, settled };
}

const outside = '11.22.33.1:6881';
const answer = { kind: 'reached', sphereId, device: ben, endpoint: outside };

test('an endpoint that a member tells is tried when it asks, and it hears what came of it', async () => {
  const silent = start({ told: [outside] });
  silent.check.asked({ sphereId, device: ben, endpoint: outside });
  await silent.settled();
  expect(silent.emitted).toEqual([{ ...answer, outcome: 'unreachable', seenAs: null }]);
  const { check, emitted, settled } = start({ told: [outside], answering: { [outside]: ben } });
  check.met(ben, { path: 'tcp', address: '11.22.33.1:50001' });
  check.asked({ sphereId, device: ben, endpoint: outside });
  await settled();
  expect(emitted).toEqual([{ ...answer, outcome: 'reached', seenAs: '11.22.33.1:50001' }]);
  expect(check.observed.hosts).toEqual(['11.22.33.9']);
});

test('another port is tried where the member is seen to be, and that another device answers there is no way to it', async () => {
  const other = '11.22.33.1:443';
  const { check, emitted, settled } = start({ answering: { [other]: eve } });
  check.met(ben, { path: 'webrtc', address: '11.22.33.1:40000' });
  check.asked({ sphereId, device: ben, endpoint: other });
  await settled();
  expect(emitted).toEqual([{ ...answer, endpoint: other, outcome: 'refused', seenAs: '11.22.33.1:40000' }]);
});

test('nobody has this device knock at a stranger’s, at its own or at its network’s services', async () => {
  const { check, called, settled } = start({ told: ['192.168.1.1:80', OURS, '127.0.0.1:22'] });
  check.met(ben, { path: 'turn', address: '11.22.33.3:3478' });
  for (const endpoint of [outside, '11.22.33.3:25', '192.168.1.1:80', OURS, '127.0.0.1:22', 'nowhere']) {
    check.asked({ sphereId, device: ben, endpoint });
  }
  check.asked({ sphereId, device: eve, endpoint: outside });
  await settled();
  expect(called).toEqual([]);
});

test('of a member in the same network nothing is said: not every router leads its own network back in', async () => {
  const near = '10.1.1.8:6881';
  const home = start({ told: [near, outside], answering: { [near]: ben } });
  home.check.asked({ sphereId, device: ben, endpoint: outside });
  await home.clock.advance(6_000);
  await home.settled();
  expect([home.called, home.emitted]).toEqual([[near], []]);
  // Many homes number their computers alike.
  const { clock, check, called, emitted, settled } = start({ told: [near, outside], answering: { [outside]: ben } });
  check.asked({ sphereId, device: ben, endpoint: outside });
  // Whatever answers there, and however fast: the time is the same.
  await clock.advance(5_900);
  expect(called).toEqual([near]);
  await clock.advance(100);
  await settled();
  expect(called).toEqual([near, outside]);
  expect(emitted).toMatchObject([{ endpoint: outside, outcome: 'reached' }]);
});

test('who asks for very much has few calls made at a time', async () => {
  const many = Array.from({ length: 30 }, (_, index) => `11.22.33.1:${1_000 + index}`);
  const { check, called } = start({ told: many });
  for (const endpoint of many) check.asked({ sphereId, device: ben, endpoint });
  expect(called).toHaveLength(2);
});

test('as long as nobody came in, a member who can be called tells from where this device comes, seldom', async () => {
  const { clock, check, called, emitted, settled } = start({ told: [outside], answering: { [outside]: ben } });
  for (let second = 0; second < 9 * 60; second += 1) {
    check.look();
    await settled();
    await clock.advance(1_000);
  }
  expect(called).toEqual([outside]);
  expect(check.observed.hosts).toEqual(['11.22.33.9']);
  // The member learns by it that it is reached.
  expect(emitted).toEqual([{ ...answer, outcome: 'reached', seenAs: null }]);
});

test('a door is shown to a member outside, and what our own candidates tell is an address of ours', async () => {
  const { clock, check, emitted, doors } = start();
  const text =
    'a=candidate:1 1 UDP 1 192.168.1.9 5000 typ host\r\na=candidate:2 1 UDP 1 11.22.33.7 5000 typ srflx raddr';
  const signal = { session: '5e'.repeat(16), kind: 'candidate' as const, text, mid: '0' };
  const said = { kind: 'signal' as const, sphereId, device: ben, signal };
  check.passOn(said);
  expect(check.observed.hosts).toEqual(['11.22.33.7']);
  doors.push('11.22.33.7:443');
  for (let second = 0; second < 4; second += 1) {
    check.look();
    await clock.advance(1_000);
  }
  expect(emitted).toEqual([said, { kind: 'probe', sphereId, device: ben, endpoint: '11.22.33.7:443' }]);
});

test('a word about an endpoint that is not ours is no word about us, but where we are seen is noted', () => {
  const { check, doors } = start();
  doors.push('11.22.33.9:443');
  const word = { sphereId, device: ben, outcome: 'unreachable' as const, seenAs: '11.22.33.9:50000' };
  check.heard({ ...word, endpoint: '11.22.33.5:1' });
  check.heard({ ...word, endpoint: '11.22.33.9:443' });
  expect(['11.22.33.5:1', '11.22.33.9:443'].map((place) => check.reachability.isLie(place))).toEqual([false, true]);
  expect(check.observed.hosts).toEqual(['11.22.33.9']);
});

test('who says that they got in and was not seen to come is not believed, and its word makes nothing a door', () => {
  const { check, doors } = start();
  doors.push('11.22.33.9:443');
  const word = { sphereId, device: ben, endpoint: '11.22.33.9:443', outcome: 'reached' as const, seenAs: null };
  check.heard(word);
  expect(check.reachability.isProven(word.endpoint)).toBe(false);
  check.came(ben, { path: 'lan', address: '10.1.1.8:50000' });
  check.heard(word);
  expect(check.reachability.isProven(word.endpoint)).toBe(false);
  check.came(ben, { path: 'tcp', address: '11.22.33.1:50000' });
  check.heard(word);
  expect(check.reachability.isProven(word.endpoint)).toBe(true);
});

test('a coming in long ago proves nothing of a word today', async () => {
  const { clock, check, doors } = start();
  doors.push('11.22.33.9:443');
  check.came(ben, { path: 'tcp', address: '11.22.33.1:50000' });
  await clock.advance(61_000);
  check.heard({ sphereId, device: ben, endpoint: '11.22.33.9:443', outcome: 'reached', seenAs: null });
  expect(check.reachability.isProven('11.22.33.9:443')).toBe(false);
});

/** Ben got in at a port that a person forwarded, where the server saw us. */
async function startProven({ serverTells = true } = {}) {
  const started = start();
  const { clock, check, emitted, doors } = started;
  const server = (host: string): void => {
    const text = `a=candidate:2 1 UDP 1 ${host} 5000 typ srflx raddr`;
    const signal = { session: '5e'.repeat(16), kind: 'candidate' as const, text, mid: '0' };
    check.passOn({ kind: 'signal', sphereId, device: ben, signal });
  };
  if (serverTells) server('11.22.33.9');
  doors.push('11.22.33.9:443');
  check.look();
  check.came(ben, { path: 'tcp', address: '11.22.33.1:50000' });
  check.heard({ sphereId, device: ben, endpoint: '11.22.33.9:443', outcome: 'reached', seenAs: null });
  const probes = (): string[] => emitted.flatMap((event) => (event.kind === 'probe' ? [event.endpoint] : []));
  const seconds = async (count: number): Promise<void> => {
    for (let second = 0; second < count; second += 1) {
      check.look();
      await clock.advance(1_000);
    }
  };
  const isProven = (): boolean => check.reachability.isProven('11.22.33.9:443');
  return { ...started, server, probes, seconds, isProven };
}

test('a door that a person opened is proven no more once the server sees us at another address, and is tried again', async () => {
  const { server, probes, seconds, isProven } = await startProven();
  await seconds(60);
  server('11.22.33.9');
  await seconds(60);
  expect([isProven(), probes()]).toEqual([true, []]);
  server('11.22.33.8');
  expect(isProven()).toBe(false);
  await seconds(4);
  expect(probes()).toEqual(['11.22.33.9:443']);
});

test('that one member sees us elsewhere takes no door away, that two do does', async () => {
  const { check, isProven } = await startProven({ serverTells: false });
  const word = { sphereId, endpoint: '11.22.33.5:1', outcome: 'refused' as const, seenAs: '11.22.33.8:50000' };
  check.heard({ ...word, device: eve });
  check.heard({ ...word, device: eve });
  expect(isProven()).toBe(true);
  check.heard({ ...word, device: ben });
  expect(isProven()).toBe(false);
});

test('as long as the server tells where it sees us, two devices of a member take no door away by saying otherwise', async () => {
  const { check, isProven } = await startProven();
  const word = { sphereId, endpoint: '11.22.33.5:1', outcome: 'refused' as const, seenAs: '11.22.33.8:50000' };
  check.heard({ ...word, device: eve });
  check.heard({ ...word, device: ben });
  expect(isProven()).toBe(true);
});

test('a member that came in where we are seen now is believed although the server names that address only later', async () => {
  const { check, doors, server } = await startProven();
  doors.push('11.22.33.8:443');
  check.heard({ sphereId, device: ben, endpoint: '11.22.33.8:443', outcome: 'reached', seenAs: null });
  server('11.22.33.8');
  expect(check.reachability.isProven('11.22.33.8:443')).toBe(true);
});

test('after the connection to the server was lost a door is tried at once, and whoever no longer gets in says so', async () => {
  const { check, probes, seconds, isProven } = await startProven();
  await seconds(60);
  check.askAgain();
  await seconds(4);
  expect(probes()).toEqual(['11.22.33.9:443']);
  check.heard({ sphereId, device: ben, endpoint: '11.22.33.9:443', outcome: 'unreachable', seenAs: null });
  expect(isProven()).toBe(false);
});
