import { expect, test } from 'vitest';
import { hearsRouter, localAddresses } from './candidates.ts';

test('addresses that are listened on are told as they are, loopback and link addresses only then', () => {
  expect(localAddresses(['127.0.0.2'])).toEqual(['127.0.0.2']);
  expect(localAddresses([]).filter((address) => /^(127\.|169\.254\.|fe80:|::1$)/.test(address))).toEqual([]);
});

test('a router is asked for ports only where it can forward to', () => {
  expect([[], ['0.0.0.0'], ['127.0.0.1', '192.168.1.9']].map(hearsRouter)).toEqual([true, true, true]);
  expect([['127.0.0.1'], ['127.0.0.9', '::1']].map(hearsRouter)).toEqual([false, false]);
});
