import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type { DialOutcome, DialRequest } from '../torrent/dialer.ts';
import { ReachTeller } from './reach-teller.ts';

const ben = parseDeviceKey('b'.repeat(64));
const cara = parseDeviceKey('c'.repeat(64));
const endpoint = '11.22.33.1:6881';
const request: DialRequest = {
  sphereId: parseSphereId('5'.repeat(64)),
  infoHash: parseInfoHash('1'.repeat(40)),
  purpose: 'swarm',
  path: 'tcp',
  endpoint,
  device: ben,
  toldBy: ben,
  attempt: 0,
  isForBetter: false,
};
const [unreachable, refused]: DialOutcome[] = [{ kind: 'unreachable' }, { kind: 'refused' }];

function start() {
  const clock = new VirtualClock(0);
  const told: string[] = [];
  const tell = (event: Extract<SwarmEvent, { kind: 'reached' }>): void => {
    told.push(`${event.endpoint} ${event.outcome} ${event.seenAs}`);
  };
  const isAtOurRouter = (place: string): boolean => place.startsWith('11.22.33.9:');
  return { clock, told, teller: new ReachTeller({ clock, tell, isAtOurRouter }) };
}

function connected(device: DeviceKey): DialOutcome {
  const { sphereId, infoHash } = request;
  const admitted = { sphereId, infoHash, device, purpose: 'swarm' } as const;
  return {
    kind: 'connected',
    dialled: { admitted, stream: new PassThrough(), route: { path: 'tcp', address: endpoint }, device: null },
  };
}

test('that another device of the same address answers does not make the one that told it reachable', () => {
  const { told, teller } = start();
  teller.ended(request, connected(cara));
  expect(told).toEqual([`${endpoint} refused null`]);
});

test('nothing is told of an endpoint at our own router: many of them do not lead their own network back in', () => {
  const { told, teller } = start();
  for (const outcome of [unreachable, connected(ben)]) {
    teller.ended({ ...request, endpoint: '11.22.33.9:6881' }, outcome ?? connected(ben));
  }
  expect(told).toEqual([]);
});

test('a member hears what came of its endpoint and from where it is seen to call, not again for ten minutes', async () => {
  const { clock, told, teller } = start();
  teller.seen(ben, '11.22.33.1:50123');
  for (let minute = 0; minute < 25; minute += 1) {
    teller.ended(request, unreachable ?? { kind: 'refused' });
    await clock.advance(60_000);
  }
  expect(told).toEqual(Array.from({ length: 3 }, () => `${endpoint} unreachable 11.22.33.1:50123`));
});

test('a changed outcome is told at once; that one torrent of several is refused changes nothing', () => {
  const { told, teller } = start();
  const dialled = connected(ben);
  for (const outcome of [unreachable, dialled, refused, dialled, refused]) teller.ended(request, outcome ?? dialled);
  expect(told).toEqual([`${endpoint} unreachable null`, `${endpoint} reached null`]);
});

test('addresses of the own network, of IPv6 or from trackers are nobody’s mapping', () => {
  const { told, teller } = start();
  for (const other of [{ path: 'lan' }, { path: 'ipv6' }, { path: 'webrtc' }, { toldBy: null }] as const) {
    teller.ended({ ...request, ...other }, unreachable ?? { kind: 'refused' });
  }
  expect(told).toEqual([]);
});
