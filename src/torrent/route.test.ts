import { expect, test } from 'vitest';
import { isStraight, pathOf } from './route.ts';

test('an endpoint tells by its address which path leads to it', () => {
  const near = ['192.168.1.2:1', '10.0.0.1:1', '172.31.0.1:1', '100.64.0.1:1', '127.0.0.1:1', '[fd00::1]:1', '[::1]:1'];
  expect(near.map(pathOf)).toEqual(near.map(() => 'lan'));
  expect(['[2a00:1450::2]:1', '[2001:db8::1]:1'].map(pathOf)).toEqual(['ipv6', 'ipv6']);
  expect(['11.22.33.44:1', '172.32.0.1:1', '100.128.0.1:1'].map(pathOf)).toEqual(['tcp', 'tcp', 'tcp']);
});

test('only what runs over WebRTC is not straight', () => {
  const paths = ['lan', 'ipv6', 'tcp', 'webrtc', 'turn'] as const;
  expect(paths.filter(isStraight)).toEqual(['lan', 'ipv6', 'tcp']);
});
