import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { concatBytes, toHex } from '../base/bytes.ts';
import { decodePcp, encodeAnnounce, encodeMap, isAbout } from './pcp-message.ts';

const NONCE = Uint8Array.from({ length: 12 }, (_, index) => index + 1);
const PORT = { protocol: 'tcp', internalPort: 40_001 } as const;

test('a mapping request has the bytes of RFC 6887 figures 2 and 9', () => {
  const packet = encodeMap({
    ...PORT,
    clientAddress: '192.168.1.23',
    lifetimeSeconds: 1_200,
    nonce: NONCE,
    externalPort: 40_001,
  });
  expect(toHex(packet)).toBe(
    '02010000' +
      '000004b0' +
      '00000000000000000000ffffc0a80117' +
      '0102030405060708090a0b0c' +
      '06000000' +
      '9c419c41' +
      '00000000000000000000ffff00000000',
  );
});

test('an announcement is the header alone, of IPv6 too', () => {
  expect(toHex(encodeAnnounce('fe80::2'))).toBe('0200000000000000fe800000000000000000000000000002');
});

function answerTo(request: Uint8Array, result = 0): Uint8Array {
  const answer = request.slice();
  answer.set([0x81], 1);
  answer.set([result], 3);
  // The epoch, then what the request has in the place of zeros.
  answer.set([0, 0, 0, 77, ...new Uint8Array(12)], 8);
  answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 22, 33, 44], 44);
  return answer;
}

const REQUEST = encodeMap({
  ...PORT,
  clientAddress: '192.168.1.23',
  lifetimeSeconds: 600,
  nonce: NONCE,
  externalPort: 5_000,
});

test('an answer is read whole', () => {
  const answer = decodePcp(answerTo(REQUEST));
  expect(answer).toEqual({
    kind: 'map',
    result: 0,
    lifetimeSeconds: 600,
    epochSeconds: 77,
    nonce: NONCE,
    protocolNumber: 6,
    internalPort: 40_001,
    externalPort: 5_000,
    externalAddress: '11.22.33.44',
  });
  if (answer?.kind !== 'map') throw new Error('no answer');
  expect(isAbout(answer, PORT)).toBe(true);
  expect(isAbout(answer, { ...PORT, protocol: 'udp' })).toBe(false);
  expect(isAbout(answer, { ...PORT, internalPort: 1 })).toBe(false);
});

test('requests, short, odd and endless packets are no answers', () => {
  const answer = answerTo(REQUEST);
  const bad = [REQUEST, answer.subarray(0, 56), answer.subarray(0, 3), concatBytes(answer, new Uint8Array(1))];
  expect([...bad, concatBytes(answer, new Uint8Array(1_100))].map(decodePcp)).toEqual(
    bad.concat(answer).map(() => undefined),
  );
});

test('a router of NAT-PMP is known by its version', () => {
  expect(decodePcp(Uint8Array.of(0, 0x81, 0, 1, 0, 0, 0, 9))).toEqual({ kind: 'other-version', version: 0 });
});

test('no packet breaks the decoder', () => {
  const answer = answerTo(REQUEST);
  const mutated = fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 6 }).map((changes) => {
    const bytes = answer.slice();
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return bytes;
  });
  const cut = fc.tuple(mutated, fc.nat(70)).map(([bytes, end]) => bytes.subarray(0, end));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated, cut), (packet) => {
      const read = decodePcp(packet);
      expect(read?.kind === 'map' ? isIP(read.externalAddress) : 4).toBeGreaterThan(0);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
