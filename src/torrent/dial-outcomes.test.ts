import { expect, test } from 'vitest';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { DialOutcomes } from './dial-outcomes.ts';

const sphereId = parseSphereId('5'.repeat(64));
const [ben, cara] = [parseDeviceKey('b'.repeat(64)), parseDeviceKey('c'.repeat(64))];

test('every path to a member says how it fared last, or why it was not tried', () => {
  const outcomes = new DialOutcomes();
  const callee = { device: ben, toldBy: ben, origin: ben };
  const devices = new Map([
    [
      ben,
      [
        { ...callee, endpoint: '11.22.33.1:1', path: 'tcp' as const },
        { ...callee, endpoint: `webrtc ${ben}`, path: 'webrtc' as const },
      ],
    ],
  ]);
  outcomes.record(sphereId, ben, 'tcp', 'unreachable', 1_000.7);
  outcomes.record(sphereId, ben, 'lan', 'connected', 2_000);
  outcomes.record(sphereId, cara, 'tcp', 'connected', 3_000);
  const list = outcomes.list(sphereId, devices, (device) => device === ben);
  expect(list.map(({ device, path, outcome, atMs }) => [device === ben, path, outcome, atMs])).toEqual([
    [true, 'lan', 'connected', 2_000],
    [true, 'ipv6', 'no-address', 0],
    [true, 'tcp', 'unreachable', 1_001],
    [true, 'webrtc', 'untried', 0],
    [true, 'turn', 'untried', 0],
  ]);
  outcomes.forgetSphere(sphereId);
  expect(outcomes.list(sphereId, new Map(), () => true)).toEqual([]);
});
