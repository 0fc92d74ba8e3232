import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemRandom } from '../../base/random.ts';
import { errorCode } from '../../base/errors.ts';
import type { SphereId } from '../../base/id.ts';
import type { VaultContent } from './vault.ts';
import { MAX_VAULT_CHUNKS, openVault, readChunkHeader, sealVault, VAULT_CHUNK_BYTES } from './vault.ts';

const RUNS = process.env['SPHERECAST_LONG'] === '1' ? 2000 : 50;
const recoveryKey = systemRandom(16);
const input = { recoveryKey, random: systemRandom };
const content = (number: number, ...lengths: number[]): VaultContent => ({
  ...{ number, savedAtMs: 1_700_000_000_000 },
  parts: lengths.map((length, index) => ({
    sphereId: `${index}`.padStart(64, '0') as SphereId,
    envelope: systemRandom(length),
  })),
});

const codeOf = (chunks: readonly Uint8Array[], key = recoveryKey): string => {
  try {
    openVault(key, chunks);
    return 'opened';
  } catch (error) {
    return errorCode(error);
  }
};

test('a vault of any size comes back, in chunks of one length', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 47), fc.array(fc.nat(30_000), { maxLength: 5 }), (number, lengths) => {
      const vault = content(number, ...lengths);
      const chunks = sealVault(input, vault);
      expect(openVault(recoveryKey, chunks)).toEqual(vault);
      expect(new Set(chunks.map(({ length }) => length))).toEqual(new Set([VAULT_CHUNK_BYTES]));
    }),
    { numRuns: RUNS },
  );
});

test('how much is in it shows as a power of two only', () => {
  const counts = [[], [10], [100, 100, 100], [9000], [17_000], [33_000]].map(
    (lengths) => sealVault(input, content(1, ...lengths)).length,
  );
  expect(counts).toEqual([1, 1, 1, 2, 4, 8]);
});

test('what does not fit is refused', () => {
  expect(() => sealVault(input, content(1, ...Array<number>(MAX_VAULT_CHUNKS).fill(8192)))).toThrow(
    'the vault is full',
  );
});

test('another key, a changed byte, a chunk of another vault, too few or in another order are refused', () => {
  const [first, second] = [content(1, 9000), content(2, 9000)].map((vault) => [...sealVault(input, vault)]) as [
    Uint8Array[],
    Uint8Array[],
  ];
  const [a, b] = first as [Uint8Array, Uint8Array];
  const changed = a.slice();
  changed[100] = (changed[100] ?? 0) ^ 1;
  expect(codeOf(first, systemRandom(16))).toBe('forged');
  for (const wrong of [[changed, b], [a, second[1] ?? a], [a], [b, a], []]) expect(codeOf(wrong)).not.toBe('opened');
  expect(codeOf(first)).toBe('opened');
});

test('any bytes are no chunk, or one that does not open', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (start, isWhole) => {
      const bytes = new Uint8Array(isWhole ? VAULT_CHUNK_BYTES : start.length);
      bytes.set(start);
      expect(readChunkHeader(bytes) === undefined || codeOf([bytes]) === 'forged').toBe(true);
    }),
    { numRuns: 4 * RUNS },
  );
});
