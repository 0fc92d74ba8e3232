import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { readCandidate } from './ice-candidate.ts';

describe('an ICE candidate', () => {
  test('is told without the addresses behind it', () => {
    const line = 'a=candidate:2 1 UDP 1678769919 93.184.216.34 40000 typ srflx raddr 192.168.1.2 rport 50000';
    expect(readCandidate(line)).toEqual({
      address: '93.184.216.34',
      port: 40_000,
      type: 'srflx',
      text: 'candidate:2 1 UDP 1678769919 93.184.216.34 40000 typ srflx',
    });
  });

  test.each(['192.168.1.2', '10.0.0.1', '100.64.1.1', '2a00:1450::1', 'fd00::1'])('of %s may be tried', (address) => {
    expect(readCandidate(`candidate:1 1 udp 5 ${address} 50000 typ host`)?.address).toBe(address);
  });

  test.each([
    ['this machine', '127.0.0.1 50000'],
    ['this machine by IPv6', '::1 50000'],
    ['this machine in disguise', '::ffff:127.0.0.1 50000'],
    ['everybody', '255.255.255.255 50000'],
    ['a group', '224.0.0.251 50000'],
    ['a group by IPv6', 'ff02::fb 50000'],
    ['nobody', '0.0.0.0 50000'],
    ['one cable', 'fe80::1 50000'],
    ['a service', '192.168.1.1 53'],
    ['no port', '192.168.1.1 65536'],
    ['a host name', 'example.org 50000'],
    ['a name of mDNS', '3f2504e0-4f89-11d3-9a0c-0305e82c3301.local 50000'],
    ['a number that is an address to some', '2130706433 50000'],
  ])('of %s is not', (_, where) => {
    expect(readCandidate(`candidate:1 1 UDP 5 ${where} typ host`)).toBeUndefined();
  });

  test('by TCP, of another component, or too long is not tried', () => {
    expect(readCandidate('candidate:1 1 TCP 5 192.168.1.2 50000 typ host tcptype active')).toBeUndefined();
    expect(readCandidate('candidate:1 2 UDP 5 192.168.1.2 50000 typ host')).toBeUndefined();
    expect(readCandidate(`candidate:1 1 UDP 5 192.168.1.2 50000 typ host ${'x'.repeat(256)}`)).toBeUndefined();
  });

  test('of any text is well formed or none', () => {
    const parts = 'candidate:1 1 UDP 2114977791 10.77.0.1 33963 typ host raddr 0.0.0.0 rport 9'.split(' ');
    const edit = fc.tuple(fc.nat(parts.length), fc.nat(1), fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.domain()));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 3 }), (edits) => {
        const line = edits.reduce((all, [at, remove, text]) => all.toSpliced(at, remove, text), parts).join(' ');
        const found = readCandidate(line);
        expect(found === undefined || (isIP(found.address) > 0 && /^[ -~]{1,128}$/.test(found.text))).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
