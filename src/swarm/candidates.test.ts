import { expect, test } from 'vitest';
import { endpointsOn, hearsRouter, localAddresses } from './candidates.ts';

test('the outside address of the router is told first', () => {
  expect(endpointsOn(['192.168.1.9', 'fd00::9'], 6_881, '11.22.33.44:50000')).toEqual([
    '11.22.33.44:50000',
    '192.168.1.9:6881',
    '[fd00::9]:6881',
  ]);
  expect(endpointsOn(['192.168.1.9'], 6_881, null)).toEqual(['192.168.1.9:6881']);
});

test('no more endpoints are told than one message holds', () => {
  const many = Array.from({ length: 50 }, (_, index) => `192.168.1.${index}`);
  expect(endpointsOn(many, 1, '11.22.33.44:1')).toHaveLength(32);
});

test('addresses that are listened on are told as they are, loopback and link addresses only then', () => {
  expect(localAddresses(['127.0.0.2'])).toEqual(['127.0.0.2']);
  expect(localAddresses([]).filter((address) => /^(127\.|169\.254\.|fe80:|::1$)/.test(address))).toEqual([]);
});

test('a router is asked for ports only where it can forward to', () => {
  expect([[], ['0.0.0.0'], ['127.0.0.1', '192.168.1.9']].map(hearsRouter)).toEqual([true, true, true]);
  expect([['127.0.0.1'], ['127.0.0.9', '::1']].map(hearsRouter)).toEqual([false, false]);
});
