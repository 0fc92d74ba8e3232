import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { ssdpReply } from '../../test/fixtures/upnp-router.ts';
import { isPrivateAddress } from '../base/ip-address.ts';
import { readReply, SEARCH_TARGETS } from './ssdp.ts';

const TARGET = SEARCH_TARGETS[0] ?? '';
const SENDER = '192.168.1.1';

function read(text: string, sender = SENDER): string | undefined {
  return readReply(Buffer.from(text), sender, isPrivateAddress)?.href;
}

test('a device that speaks for itself is heard, however it writes its fields', () => {
  const location = 'http://192.168.1.1:5000/root.xml';
  expect(read(ssdpReply(TARGET, location))).toBe(location);
  expect(read(`HTTP/1.0 200 OK\nlocation:${location}\nst:  ${TARGET}\n`)).toBe(location);
});

test.each([
  ['another host', 'http://192.168.1.2/root.xml'],
  ['a metadata service', 'http://169.254.169.254/latest'],
  ['this machine', 'http://127.0.0.1:8080/'],
  ['the internet', 'http://example.org/root.xml'],
  ['another scheme', 'https://192.168.1.1/root.xml'],
  ['a file', 'file:///etc/passwd'],
  ['a name and password', 'http://192.168.1.1:80@192.168.1.2/'],
  ['credentials', 'http://a:b@192.168.1.1/'],
  ['no address', 'root.xml'],
  ['nothing', ''],
  ['an endless address', `http://192.168.1.1/${'a'.repeat(600)}`],
])('a location that leads to %s is ignored', (_, location) => {
  expect(read(ssdpReply(TARGET, location))).toBeUndefined();
});

test.each(['127.0.0.1', '169.254.169.254', '8.8.8.8', '224.0.0.1'])('a device on %s is ignored', (address) => {
  expect(read(ssdpReply(TARGET, `http://${address}/root.xml`), address)).toBeUndefined();
});

test('other devices, requests, notices and long packets are ignored', () => {
  const good = ssdpReply(TARGET, 'http://192.168.1.1/');
  expect(read(ssdpReply('urn:schemas-upnp-org:device:MediaServer:1', 'http://192.168.1.1/'))).toBeUndefined();
  expect(read(good.replace('HTTP/1.1 200 OK', 'NOTIFY * HTTP/1.1'))).toBeUndefined();
  expect(read(good.replace('200', '404'))).toBeUndefined();
  expect(read(good + 'x'.repeat(2_000))).toBeUndefined();
});

test('no packet leads anywhere but to its sender', () => {
  const good = ssdpReply(TARGET, 'http://192.168.1.1:5000/root.xml');
  const piece = fc.constantFrom(
    '\r\n',
    'LOCATION: ',
    'http://',
    '192.168.1.2',
    '127.0.0.1',
    '@',
    ':80',
    '//',
    '\\',
    '#',
    '?',
    '[::1]',
    '0x7f.1',
    '.',
  );
  const mutated = fc
    .tuple(fc.nat(good.length), fc.nat(20), fc.array(piece, { maxLength: 3 }))
    .map(([at, cut, put]) => good.slice(0, at) + put.join('') + good.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (text) => {
      const url = readReply(Buffer.from(text), SENDER, isPrivateAddress);
      expect(url?.hostname ?? SENDER).toBe(SENDER);
      expect(url?.protocol ?? 'http:').toBe('http:');
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
