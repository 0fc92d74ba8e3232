import { expect, test } from 'vitest';
import { parseDeviceKey } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { satisfiedBy } from './satisfied.ts';

const [ben, cara] = [parseDeviceKey('b'.repeat(64)), parseDeviceKey('c'.repeat(64))];

function link(path: Path, ageMs: number, more: { device?: typeof ben; isSuspect?: boolean } = {}) {
  return { device: ben, route: { path, address: '' }, ageMs, isSuspect: false, ...more };
}

test('a settled connection leaves only better paths to be called, a young one only straight ones', () => {
  const paths = ['lan', 'ipv6', 'tcp', 'webrtc', 'turn'] as const;
  const levels = (ageMs: number) => paths.map((path) => satisfiedBy([link(path, ageMs)]).satisfied.get(ben));
  expect(levels(60_000)).toEqual([0, 0, 1, 2, 3]);
  expect(levels(1_000)).toEqual([0, 0, 0, 2, 2]);
});

test('of several connections the best one counts, and one in doubt counts only as such', () => {
  const links = [link('turn', 60_000), link('tcp', 60_000), link('lan', 60_000, { isSuspect: true })];
  expect(satisfiedBy([...links, link('lan', 0, { device: cara, isSuspect: true })])).toEqual({
    satisfied: new Map([[ben, 1]]),
    suspects: new Set([cara]),
  });
});
