import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { toHex } from '../base/bytes.ts';
import { decodeNatPmp, encodeAddressRequest, encodeMapRequest } from './nat-pmp-message.ts';

const ADDRESS = Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 77, 11, 22, 33, 44);
const MAPPED = Uint8Array.of(0, 130, 0, 0, 0, 0, 0, 78, 0x9c, 0x41, 0x13, 0x88, 0, 0, 4, 0xb0);

test('requests have the bytes of RFC 6886 §3.2 and §3.3', () => {
  expect(toHex(encodeAddressRequest())).toBe('0000');
  expect(toHex(encodeMapRequest({ protocol: 'tcp', internalPort: 40_001 }, 5_000, 1_200))).toBe(
    '000200009c411388000004b0',
  );
  expect(toHex(encodeMapRequest({ protocol: 'udp', internalPort: 1 }, 0, 0))).toBe('000100000001000000000000');
});

test('answers are read whole', () => {
  expect(decodeNatPmp(ADDRESS)).toEqual({
    kind: 'address',
    result: 0,
    epochSeconds: 77,
    externalAddress: '11.22.33.44',
  });
  expect(decodeNatPmp(MAPPED)).toEqual({
    kind: 'map',
    result: 0,
    epochSeconds: 78,
    protocol: 'tcp',
    internalPort: 40_001,
    externalPort: 5_000,
    lifetimeSeconds: 1_200,
  });
});

test('a refusal may be short, a success may not', () => {
  expect(decodeNatPmp(Uint8Array.of(0, 128, 0, 3, 0, 0, 0, 1))).toMatchObject({ result: 3, externalAddress: null });
  expect(decodeNatPmp(Uint8Array.of(0, 129, 0, 2, 0, 0, 0, 1))).toMatchObject({ result: 2, internalPort: null });
  expect([ADDRESS.subarray(0, 11), MAPPED.subarray(0, 15), MAPPED.subarray(0, 7)].map(decodeNatPmp)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('requests and other versions are no answers', () => {
  const other = MAPPED.with(0, 2);
  expect(
    [encodeMapRequest({ protocol: 'tcp', internalPort: 1 }, 1, 1), other, MAPPED.with(1, 3)].map(decodeNatPmp),
  ).toEqual([undefined, undefined, undefined]);
});

test('no packet breaks the decoder', () => {
  const mutated = fc
    .tuple(fc.constantFrom(ADDRESS, MAPPED), fc.nat(20), fc.nat(15), fc.nat(255))
    .map(([bytes, end, at, value]) => bytes.with(Math.min(at, bytes.length - 1), value).subarray(0, end));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 24 }), mutated), (packet) => {
      const read = decodeNatPmp(packet);
      const address = read?.kind === 'address' && read.result === 0 ? read.externalAddress : '0.0.0.0';
      expect(address).toMatch(/^(\d+\.){3}\d+$/);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
