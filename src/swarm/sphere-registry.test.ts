import { expect, test } from 'vitest';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
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

test('epochs that are found by one key are asked for and announced once', () => {
  const registry = new SphereRegistry({ isBanned: () => false });
  const [admission, older, found] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  if (admission === undefined || older === undefined || found === undefined) throw new Error('no keys');
  const epochs = [admission, older].map((key) => ({ admission: key, tracker: found, lan: found.slice() }));
  registry.set(sphereId, epochs, []);
  expect(registry.trackerHashes([sphereId], parseInfoHash('1'.repeat(40)))).toHaveLength(1);
  expect(registry.lanSpheres).toEqual([{ sphereId, lanKeys: [found] }]);
  const sphere = registry.admitting(sphereId, { has: () => true, seeks: () => false });
  expect(sphere?.admissionKeys).toEqual([admission, older]);
});
