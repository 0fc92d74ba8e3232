import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { description } from '../../test/fixtures/upnp-router.ts';
import { AppError } from '../base/errors.ts';
import { readConnections } from './igd-description.ts';

const LOCATION = new URL('http://192.168.1.1:5000/igd/description.xml');
const V2 = 'urn:schemas-upnp-org:service:WANIPConnection:2';

function controlUrls(document: string): string[] {
  return readConnections(document, LOCATION).map(({ controlUrl }) => controlUrl.href);
}

test.each([
  ['urn:schemas-upnp-org:service:WANIPConnection:1', 1],
  [V2, 2],
  ['urn:schemas-upnp-org:service:WANPPPConnection:1', 1],
])('%s is a service that maps ports', (serviceType, version) => {
  expect(readConnections(description(serviceType, '/control'), LOCATION)).toEqual([
    { serviceType, version, controlUrl: new URL('http://192.168.1.1:5000/control') },
  ]);
});

test('a control address may be relative, absolute or start at the base the device gives', () => {
  expect(controlUrls(description(V2, 'control'))).toEqual(['http://192.168.1.1:5000/igd/control']);
  expect(controlUrls(description(V2, 'http://192.168.1.1:6000/c'))).toEqual(['http://192.168.1.1:6000/c']);
  const based = description(V2, 'control').replace('<device>', '<URLBase>http://192.168.1.1:7000/x/</URLBase><device>');
  expect(controlUrls(based)).toEqual(['http://192.168.1.1:7000/x/control']);
});

test.each([
  'http://192.168.1.2/c',
  'http://127.0.0.1/c',
  '//10.0.0.1/c',
  'https://192.168.1.1/c',
  'file:///c',
  'http://',
])('a control address %s is left out', (url) => expect(controlUrls(description(V2, url))).toEqual([]));

test('a base elsewhere leaves the device without services', () => {
  const based = description(V2, 'control').replace('<device>', '<URLBase>http://10.9.9.9/</URLBase><device>');
  expect(controlUrls(based)).toEqual([]);
});

test('of a thousand services six are looked at', () => {
  const service = `<service><serviceType>${V2}</serviceType><controlURL>/c</controlURL></service>`;
  expect(controlUrls(`<root>${service.repeat(500)}</root>`)).toHaveLength(6);
});

test('no description leads anywhere but to its own host', () => {
  const document = description(V2, '/control');
  const piece = fc.constantFrom(
    '<URLBase>',
    '</URLBase>',
    'http://',
    '10.0.0.1',
    '127.0.0.1',
    '//',
    '@',
    '\\',
    '&amp;',
    ':',
    '#',
  );
  const mutated = fc
    .tuple(fc.integer({ min: 600, max: document.length }), fc.nat(12), fc.array(piece, { maxLength: 3 }))
    .map(([at, cut, put]) => document.slice(0, at) + put.join('') + document.slice(at + cut));
  fc.assert(
    fc.property(mutated, (text) => {
      expect(hosts(text).filter((host) => host !== LOCATION.hostname)).toEqual([]);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

function hosts(document: string): string[] {
  try {
    return readConnections(document, LOCATION).map(({ controlUrl }) => controlUrl.hostname);
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}
