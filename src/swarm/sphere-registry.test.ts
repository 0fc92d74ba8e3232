import { expect, test } from 'vitest';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { SphereRegistry } from './sphere-registry.ts';

const sphereId = parseSphereId('5'.repeat(64));
const device = (digit: string) => parseDeviceKey(digit.repeat(64));
const tracker = (host: number, port: number) => `http://192.0.2.${host}:${port}/${'a'.repeat(32)}/announce`;

test('devices that name many trackers keep nobody else out', () => {
  const registry = new SphereRegistry({ isBanned: () => false });
  const devices = ['a', 'b', 'c', 'd', 'e'].map(device);
  registry.set(sphereId, [], devices);
  for (const [index, one] of devices.entries()) {
    const many = Array.from({ length: index === 4 ? 1 : 8 }, (_, port) => tracker(index, port + 1));
    registry.setTrackers(sphereId, one, many);
  }
  const trackers = registry.trackers(sphereId);
  expect(trackers).toHaveLength(24);
  expect(trackers).toContain(tracker(4, 1));
});
