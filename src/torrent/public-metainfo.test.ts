import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../base/errors.ts';
import { toHex } from '../base/bytes.ts';
import { encode } from './bencode/bencode.ts';
import { parsePublicMetainfo } from './public-metainfo.ts';

const PIECE = 16_384;
const digests = (bytes: number): Uint8Array => new Uint8Array(Math.ceil(bytes / PIECE) * 20).fill(7);

const single = { length: 40_000, name: 'film.mkv', 'piece length': PIECE, pieces: digests(40_000) };
const folder = {
  files: [
    { length: 10_000, path: ['a', 'one.jpg'] },
    { attr: 'p', length: 6_384, path: ['.pad', '6384'] },
    { length: 0, path: ['empty'] },
    { length: 20_000, path: ['two.jpg'] },
  ],
  name: 'Album',
  'piece length': PIECE,
  pieces: digests(36_384),
};

const torrentOf = (info: object, more: object = {}): Uint8Array => encode({ ...more, info });
const refusal = (bytes: Uint8Array): string => {
  try {
    parsePublicMetainfo(bytes);
    return 'accepted';
  } catch (error) {
    return errorCode(error);
  }
};

describe('a .torrent file from elsewhere', () => {
  test('of one file is read with its hash and its trackers', () => {
    const tiers = [
      ['udp://t.example:80/announce', 'http://t.example/a'],
      ['http://t.example/a', 'wss://t.example'],
    ];
    const read = parsePublicMetainfo(torrentOf(single, { 'announce-list': tiers, announce: 'http://other.example/' }));
    expect(read).toMatchObject({
      infoHash: createHash('sha1').update(encode(single)).digest('hex'),
      name: 'film.mkv',
      root: 'file',
      length: 40_000,
      files: [{ path: ['film.mkv'], length: 40_000, offset: 0 }],
      trackers: ['udp://t.example:80/announce', 'http://t.example/a'],
    });
  });

  test('of a folder keeps the places of files, and padding is no file', () => {
    expect(parsePublicMetainfo(torrentOf(folder))).toMatchObject({
      root: 'folder',
      length: 36_384,
      files: [
        { path: ['a', 'one.jpg'], length: 10_000, offset: 0 },
        { path: ['empty'], length: 0, offset: 16_384 },
        { path: ['two.jpg'], length: 20_000, offset: 16_384 },
      ],
    });
  });

  test('that is a hybrid of both versions is read as one of version 1', () => {
    const tree = { 'film.mkv': { '': { length: 40_000, 'pieces root': new Uint8Array(32) } } };
    const hybrid = { ...single, 'file tree': tree, 'meta version': 2 };
    // Its keys are digests, which are no text.
    const layers = new Map([[String.fromCharCode(...new Uint8Array(8).fill(0x41)), new Uint8Array(64)]]);
    const read = parsePublicMetainfo(torrentOf(hybrid, { 'piece layers': layers }));
    expect(read.infoHash).toBe(toHex(createHash('sha1').update(encode(hybrid)).digest()));
  });

  test('is private when its makers say anything but no, and names nodes that can be ones', () => {
    const isPrivate = (flag: unknown): boolean =>
      parsePublicMetainfo(torrentOf(flag === undefined ? single : { ...single, private: flag })).isPrivate;
    expect([undefined, 0, 1, 2, 'yes'].map(isPrivate)).toEqual([false, false, true, true, true]);
    const good = [
      ['dht.example.org', 6881],
      ['203.0.113.1', 1],
    ];
    const bad = [['a b', 1], ['::1', 1], ['x.example', 0], ['x.example', 70_000], ['x.example'], 'x', [1, 1], 7];
    const { nodes } = parsePublicMetainfo(torrentOf(single, { nodes: [...good, ...bad] }));
    expect(nodes).toEqual(['dht.example.org:6881', '203.0.113.1:1']);
    const flood = Array.from({ length: 500 }, (_, port) => ['x.example', port + 1]);
    expect(parsePublicMetainfo(torrentOf(single, { nodes: flood })).nodes).toHaveLength(16);
  });

  test('of version 2 alone is refused by its own name', () => {
    const info = { 'file tree': {}, 'meta version': 2, name: 'film.mkv', 'piece length': PIECE };
    expect(refusal(torrentOf(info))).toBe('torrent-version-2');
  });

  test.each([
    ['an empty file', new Uint8Array()],
    ['something else than bencode', new TextEncoder().encode('<html>')],
    ['a list', encode([1, 2])],
    ['no info', encode({ announce: 'http://t.example/a' })],
    ['no digests', torrentOf({ ...single, pieces: undefined })],
    ['a digest too few', torrentOf({ ...single, pieces: digests(20_000) })],
    ['a length below zero', torrentOf({ ...single, length: -1 })],
    ['nothing in it', torrentOf({ ...single, length: 0, pieces: digests(0) })],
    ['pieces of no size', torrentOf({ ...single, 'piece length': 0 })],
    ['a name that is no text', torrentOf({ ...single, name: Uint8Array.of(0xff, 0xfe) })],
    ['a file without a path', torrentOf({ ...folder, files: [{ length: 40_000, path: [] }] })],
    ['padding alone', torrentOf({ ...folder, files: [{ attr: 'p', length: 36_384, path: ['.pad'] }] })],
  ])('with %s is refused', (_, bytes) => expect(refusal(bytes)).toBe('invalid-torrent'));

  test('of more than two megabytes is refused before it is read', () => {
    expect(refusal(new Uint8Array(3 * 1024 * 1024))).toBe('too-large');
  });

  test('that was damaged anywhere is read or refused, and nothing else', () => {
    const whole = torrentOf(folder, { announce: 'http://t.example/a' });
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Uint8Array.from(whole);
        for (const [at, byte] of changes) damaged[at] = byte;
        expect(['accepted', 'invalid-torrent', 'too-large', 'torrent-version-2']).toContain(refusal(damaged));
      }),
      { numRuns: process.env['SPHERECAST_LONG'] === '1' ? 5_000 : 500 },
    );
  });
});
