import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import vector from '../../test/fixtures/protocol/wants.json' with { type: 'json' };
import type { ErrorCode } from '../base/errors.ts';
import { toHex } from '../base/bytes.ts';
import { errorCode } from '../base/errors.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import { sphereMark } from './sphere-mark.ts';
import { encodeWants, MOST_WANTS, receiveWants, sendWants } from './wants-exchange.ts';

const { signal } = new AbortController();
const hash = (number: number) => parseInfoHash(number.toString(16).padStart(40, '0'));

test('the mark of a sphere and what is wanted of it are those of the specification', () => {
  expect(sphereMark(parseSphereId(vector.sphereId))).toBe(vector.mark);
  expect(toHex(encodeWants(vector.wants.map((hash) => parseInfoHash(hash))))).toBe(vector.bytes);
});

test('what a member wants arrives as it was told, and nothing is a want too', async () => {
  for (const count of [0, 1, 64, MOST_WANTS]) {
    const [here, there] = duplexPair();
    const wants = Array.from({ length: count }, (_, index) => hash(index));
    const [told] = await Promise.all([receiveWants(there, signal), sendWants(here, wants, signal)]);
    expect(told).toEqual(wants);
  }
});

test('of more than fits into one answer the first ones are told', async () => {
  const [here, there] = duplexPair();
  const wants = Array.from({ length: MOST_WANTS + 1 }, (_, index) => hash(index));
  const [told] = await Promise.all([receiveWants(there, signal), sendWants(here, wants, signal)]);
  expect(told).toEqual(wants.slice(0, MOST_WANTS));
});

function expectedOf(bytes: Uint8Array): number | ErrorCode {
  const [high, low] = bytes;
  if (high === undefined || low === undefined) return 'disconnected';
  const claimed = high * 256 + low;
  if (claimed > MOST_WANTS) return 'too-large';
  return bytes.length < 2 + claimed * 20 ? 'disconnected' : claimed;
}

test('arbitrary bytes are a list or a refusal', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      const [here, there] = duplexPair();
      here.end(bytes);
      const told = await receiveWants(there, signal).then(
        (wants) => wants.length,
        (error: unknown) => errorCode(error),
      );
      expect(told).toBe(expectedOf(bytes));
    }),
  );
});
