import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import vectors from '../../test/fixtures/protocol/probe.json' with { type: 'json' };
import { fromHex, toHex } from '../base/bytes.ts';
import { receiveSeenAddress, sendSeenAddress } from './seen-address.ts';

const never = new AbortController().signal;

test.each(vectors.seen)('$endpoint is told byte for byte as specified, and read as it was', async (vector) => {
  const [a, b] = duplexPair();
  await sendSeenAddress(a, vector.endpoint, never);
  const chunks: Buffer[] = await b.toArray();
  expect(toHex(Buffer.concat(chunks))).toBe(vector.bytes);
  const [c, d] = duplexPair();
  c.write(fromHex(vector.bytes));
  expect(await receiveSeenAddress(d, never)).toBe(vector.endpoint);
});

test('whatever a member sends in place of an address is refused or is one', async () => {
  const bytes = fc.uint8Array({ maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const [a, b] = duplexPair();
      a.end(sent);
      const read = await receiveSeenAddress(b, never).catch((error: unknown) => (error as { code: string }).code);
      expect(['bad-input', 'disconnected'].includes(read) || /^[[\]0-9a-f.:]+$/i.test(read)).toBe(true);
    }),
    { numRuns: fuzzRuns(200) },
  );
});
