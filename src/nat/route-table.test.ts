import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMacRoute, parseProcRoute, parseWindowsRoute } from './route-table.ts';

function fixture(name: string): string {
  return readFileSync(path.join(import.meta.dirname, '../../test/fixtures/routes', name), 'utf8');
}

test('of two default routes of Linux the one with the lower metric is used', () => {
  expect(parseProcRoute(fixture('linux-proc-route.txt'))).toBe('192.168.77.254');
});

test('a default route of Linux without a gateway or not up is none', () => {
  const row = (gateway: string, flags: string): string => `ppp0\t00000000\t${gateway}\t${flags}\t0\t0\t0\t00000000\t0`;
  expect(parseProcRoute(row('00000000', '0001'))).toBeUndefined();
  expect(parseProcRoute(row('0101A8C0', '0002'))).toBeUndefined();
  expect(parseProcRoute(row('0101A8C0', '0003'))).toBe('192.168.1.1');
});

test('the gateway of macOS is read, an interface without one is none', () => {
  expect(parseMacRoute(fixture('macos-route-get.txt'))).toBe('192.168.1.1');
  expect(parseMacRoute(fixture('macos-route-get.txt').replace('192.168.1.1', 'link#12'))).toBeUndefined();
});

test('the gateway of Windows is read in any language, persistent routes are left out', () => {
  const text = fixture('windows-route-print.txt');
  expect(parseWindowsRoute(text)).toBe('192.168.1.1');
  expect(parseWindowsRoute(text.replace('192.168.1.1 ', 'On-link '))).toBe('10.0.0.1');
});

test('no text breaks the parsers', () => {
  const line = fc.constantFrom(
    ...[...fixture('linux-proc-route.txt').split('\n'), ...fixture('windows-route-print.txt').split('\n')],
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(line, fc.string())).map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(text, (input) => {
      const read = [parseProcRoute(input), parseMacRoute(input), parseWindowsRoute(input)];
      expect(read.filter((address) => address !== undefined && !isIPv4(address))).toEqual([]);
    }),
    { numRuns: 20_000 },
  );
});
