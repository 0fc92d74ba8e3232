import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import { EventStream } from './event-stream.ts';
import { SwarmNode } from './swarm-node.ts';

const sphereId = parseSphereId('5'.repeat(64));
const infoHash = parseInfoHash('1'.repeat(40));
const member = parseDeviceKey('b'.repeat(64));
const tracker = (endpoint: string): string => `http://${endpoint}/${'a'.repeat(32)}/announce`;

function start(addresses: readonly string[]): Promise<SwarmNode> {
  const never = { keep: () => new AsyncDisposableStack(), keepPinholes: () => new AsyncDisposableStack() };
  const deps = {
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    stream: new EventStream<SwarmEvent>(),
    portMapping: { ...never, checkNow: () => undefined },
    lanNetwork: { interfaces: () => [], open: () => Promise.reject(new Error('no network')) },
    loadRtc: () => Promise.reject(new Error('no WebRTC')),
  };
  const self = { device: parseDeviceKey('a'.repeat(64)), privateKey: generateKeyPairSync('ed25519').privateKey };
  const ports = { dataPort: 0, extraPorts: [], mapPorts: false, discoverOn: [] };
  return SwarmNode.start(deps, { ...ports, self, addresses, limits: { up: 0, down: 0 } });
}

/** What is left of what a member and a tracker name. */
function named(node: SwarmNode, endpoints: readonly string[]) {
  node.host.setSphere(sphereId, [], [member]);
  const trackers = endpoints.map(tracker);
  node.setEndpoints({ sphereId, device: member, endpoints, trackers, webrtc: false });
  for (const endpoint of endpoints) node.reach.found(infoHash, endpoint, 'a tracker');
  const { dialer } = node.reach;
  return {
    told: (dialer.callees(sphereId).get(member) ?? []).map(({ endpoint }) => endpoint),
    found: Array.from(dialer.strangers(sphereId, infoHash), ({ endpoint }) => endpoint),
    trackers: node.host.spheres.trackers(sphereId),
  };
}

const OWN = ['0.0.0.0:22', '[::ffff:127.0.0.1]:22', '169.254.169.254:80', '224.0.0.1:1'];

test('a member or its tracker cannot have this process call services of its own machine', async () => {
  await using node = await start(['0.0.0.0']);
  const elsewhere = ['192.0.2.9:1'];
  const left = named(node, [...OWN, '127.0.0.1:631', '[::1]:631', ...elsewhere]);
  expect(left).toEqual({ told: elsewhere, found: elsewhere, trackers: elsewhere.map(tracker) });
});

test('on loopback alone others are called there', async () => {
  await using node = await start(['127.0.0.1']);
  const others = ['127.0.0.2:1'];
  expect(named(node, [...OWN, ...others])).toEqual({ told: others, found: others, trackers: others.map(tracker) });
});
