import { expect, test } from 'vitest';
import { seededRandom } from '../../../test/fixtures/protocol/people.ts';
import { parseInfoHash } from '../../base/id.ts';
import { deriveEpochSecrets, epochCommitment, generateEpochKey } from './epoch.ts';
import { generateMediaKey, keyCheck, unwrapMediaKey, wrapMediaKey } from './media-key.ts';

const random = seededRandom('items');
const epochKey = generateEpochKey(random);
const epoch = deriveEpochSecrets(epochKey);
const mediaKey = generateMediaKey(random);
const infoHash = parseInfoHash('ab'.repeat(20));
const check = keyCheck(mediaKey, infoHash);
const wrapped = wrapMediaKey({ epoch, infoHash, random }, mediaKey);

test('every secret of an epoch differs from the others and from the key', () => {
  const all = [epochKey, ...Object.values(epoch)].map((secret) => Buffer.from(secret).toString('hex'));
  expect(new Set(all).size).toBe(6);
});

test('the commitment tells one epoch key from another', () => {
  expect(epochCommitment(epochKey)).toBe(epochCommitment(Uint8Array.from(epochKey)));
  expect(epochCommitment(epochKey)).not.toBe(epochCommitment(generateEpochKey(random)));
  expect(() => deriveEpochSecrets(new Uint8Array(16))).toThrow('32 bytes');
});

test('a media key is unwrapped under the epoch it was wrapped under', () => {
  expect(wrapped.length).toBe(60);
  expect(unwrapMediaKey({ epoch, infoHash, keyCheck: check }, wrapped)).toEqual(mediaKey);
});

test('without the epoch key a device that holds the message key cannot read the item', () => {
  const other = deriveEpochSecrets(generateEpochKey(random));
  expect(() => unwrapMediaKey({ epoch: other, infoHash, keyCheck: check }, wrapped)).toThrow('do not open');
});

test('a wrapped key of another item or of another event is refused', () => {
  const otherHash = parseInfoHash('cd'.repeat(20));
  expect(() => unwrapMediaKey({ epoch, infoHash: otherHash, keyCheck: check }, wrapped)).toThrow('do not open');
  const otherKey = wrapMediaKey({ epoch, infoHash, random }, generateMediaKey(random));
  expect(() => unwrapMediaKey({ epoch, infoHash, keyCheck: check }, otherKey)).toThrow('not the one');
  expect(() => unwrapMediaKey({ epoch, infoHash, keyCheck: check }, wrapped.subarray(1))).toThrow('not a wrapped');
});
