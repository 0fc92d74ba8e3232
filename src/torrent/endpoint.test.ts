import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';

test('addresses of both families are read', () => {
  expect(parseEndpoint('192.0.2.1:6881')).toEqual({ host: '192.0.2.1', port: 6881 });
  expect(parseEndpoint('[2001:db8::1]:80')).toEqual({ host: '2001:db8::1', port: 80 });
});

test.each([
  '',
  'example.org:80',
  '192.0.2.1',
  '192.0.2.1:0',
  '192.0.2.1:65536',
  '300.1.1.1:5',
  '2001:db8::1:80',
  '[::1',
  '1.2.3.4:80/x',
])('%s is no endpoint', (text) => {
  expect(parseEndpoint(text)).toBeUndefined();
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const parsed = parseEndpoint(formatEndpoint(host, port));
      expect(parsed?.port).toBe(port);
    }),
    { numRuns: fuzzRuns(2000) },
  );
});

test('an IPv4 address in IPv6 clothes is written as what it is', () => {
  expect(formatEndpoint('::ffff:192.0.2.1', 6881)).toBe('192.0.2.1:6881');
});
