import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { errorCode } from '../base/errors.ts';
import { parseInfoHash } from '../base/id.ts';
import { encode } from './bencode/bencode.ts';
import type { TorrentShape } from './metainfo.ts';
import { MAX_PIECES, buildMetainfo, parseMetainfo, pieceSize } from './metainfo.ts';

const PIECE = 16 * 1024;
const SHAPE: TorrentShape = { length: 2 * PIECE + 1, pieceLength: PIECE, pieces: randomBytes(60) };
const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** A metainfo with whatever info dictionary, announced with its right digests. */
function announce(info: unknown, top: Record<string, unknown> = {}): [Uint8Array, Parameters<typeof parseMetainfo>[1]] {
  const metainfo = encode({ ...top, info });
  return [metainfo, { infoHash: parseInfoHash(sha1(encode(info))), sha256: sha256(metainfo) }];
}
const info = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  length: SHAPE.length,
  name: 'data',
  'piece length': PIECE,
  pieces: SHAPE.pieces,
  private: 1,
  ...changes,
});

test('a sphere torrent is one private file named data without a tracker, and reads back', () => {
  const { metainfo, infoHash } = buildMetainfo(SHAPE);
  const [expected] = announce(info());
  expect(metainfo).toEqual(expected);
  expect(parseMetainfo(metainfo, { infoHash, sha256: sha256(metainfo) })).toEqual({
    ...SHAPE,
    pieces: new Uint8Array(SHAPE.pieces),
    infoHash,
  });
  expect(parseMetainfo(metainfo, { infoHash, sha256: null }).length).toBe(SHAPE.length);
});

test('pieces are as long as the first except the last', () => {
  expect([0, 1, 2].map((index) => pieceSize(SHAPE, index))).toEqual([PIECE, PIECE, 1]);
});

test('a metainfo with other digests than announced is refused', () => {
  const { metainfo, infoHash } = buildMetainfo(SHAPE);
  const other = buildMetainfo({ ...SHAPE, length: SHAPE.length + 1 });
  const refused = { code: 'invalid-torrent' };
  expect(() => parseMetainfo(metainfo, { infoHash, sha256: sha256(other.metainfo) })).toThrow(
    expect.objectContaining(refused),
  );
  expect(() => parseMetainfo(metainfo, { infoHash: other.infoHash, sha256: null })).toThrow(
    expect.objectContaining(refused),
  );
});

const REFUSED: Record<string, [Record<string, unknown>, Record<string, unknown>?]> = {
  'another name': [info({ name: 'film.mp4' })],
  'a list of files': [info({ length: undefined, files: [{ length: 1, path: ['a'] }] })],
  'an additional key in the info dictionary': [info({ source: 'x' })],
  'a v2 key': [info({ 'meta version': 2 })],
  'no private flag': [info({ private: undefined })],
  'a private flag of another value': [info({ private: 2 })],
  'a tracker': [info(), { announce: 'http://tracker.example/' }],
  'a web seed': [info(), { 'url-list': 'http://example.org/data' }],
  'a comment': [info(), { comment: 'hello' }],
  'length as text': [info({ length: '5' })],
  'length zero': [info({ length: 0, pieces: new Uint8Array() })],
  'a negative length': [info({ length: -1 })],
  'a length beyond any disk': [info({ length: 2 ** 53 - 1 })],
  'a piece length as text': [info({ 'piece length': '16384' })],
  'a piece length that is no power of two': [info({ 'piece length': PIECE + 1 })],
  'a piece length too small': [info({ 'piece length': 1 })],
  'a piece length too large': [info({ 'piece length': 2 ** 27 })],
  'a negative piece length': [info({ 'piece length': -PIECE })],
  'pieces as a number': [info({ pieces: 7 })],
  'too few digests': [info({ pieces: SHAPE.pieces.subarray(20) })],
  'too many digests': [info({ pieces: new Uint8Array(80) })],
  'digests cut in the middle': [info({ pieces: SHAPE.pieces.subarray(1) })],
  'an impossible number of pieces': [info({ length: (MAX_PIECES + 1) * PIECE })],
};
for (const [what, [dict, top]] of Object.entries(REFUSED)) {
  test(`a torrent with ${what} is refused although its digests are right`, () => {
    const [metainfo, expected] = announce(dict, top);
    expect(() => parseMetainfo(metainfo, expected)).toThrow(expect.objectContaining({ code: 'invalid-torrent' }));
  });
}

test('an info dictionary that is not canonical is refused although its digests are right', () => {
  const { metainfo } = buildMetainfo(SHAPE);
  const text = Buffer.from(metainfo).toString('latin1');
  for (const changed of [
    text.replace('7:privatei1e', '7:privatei01e'),
    text.replace('4:name4:data', '4:name04:data'),
    text.replace('d4:infod', 'd4:infod6:lengthi1e'),
  ]) {
    const bytes = Buffer.from(changed, 'latin1');
    const expected = { infoHash: parseInfoHash(sha1(bytes.subarray(7, -1))), sha256: sha256(bytes) };
    expect(() => parseMetainfo(bytes, expected)).toThrow(expect.objectContaining({ code: 'invalid-torrent' }));
  }
});

/** The bytes that the parsed torrent gives; the input again when it was refused as it should be. */
function rebuilt(bytes: Uint8Array, expected: Parameters<typeof parseMetainfo>[1]): Uint8Array | null {
  try {
    return buildMetainfo(parseMetainfo(bytes, expected)).metainfo;
  } catch (error) {
    return errorCode(error) === 'invalid-torrent' ? bytes : null;
  }
}

test('bytes of any kind are refused with the one error, however their digests were announced', () => {
  const { metainfo } = buildMetainfo(SHAPE);
  fc.assert(
    fc.property(fc.nat(metainfo.length - 1), fc.uint8Array({ maxLength: 8 }), fc.nat(8), (at, insert, remove) => {
      const parts = [metainfo.subarray(0, at), insert, metainfo.subarray(at + remove)];
      const bytes = new Uint8Array(Buffer.concat(parts));
      const expected = { infoHash: parseInfoHash(sha1(bytes.subarray(7, -1))), sha256: null };
      expect(rebuilt(bytes, expected)).toEqual(bytes);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

test('a metainfo larger than any of ours is refused before it is hashed', () => {
  const huge = new Uint8Array(3 * 1024 * 1024);
  const expected = { infoHash: parseInfoHash('0'.repeat(40)), sha256: null };
  expect(() => parseMetainfo(huge, expected)).toThrow('too large');
});
