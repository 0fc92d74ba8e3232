import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { ManifestFile } from './manifest.ts';
import {
  decodeBeginning,
  decodeManifest,
  decodePaths,
  edgeRanges,
  encodeManifest,
  MAX_MANIFEST_FILES,
} from './manifest.ts';

const film: ManifestFile = {
  path: ['Holidays', 'beach.mp4'],
  type: 'video/mp4',
  bytes: 52_428_800,
  mtimeMs: 1_800_000_000_000,
  headSha256: 'a'.repeat(64),
  tailSha256: 'b'.repeat(64),
  probe: {
    container: 'mp4',
    codecs: ['avc1.64001f', 'mp4a.40.2'],
    width: 1920,
    height: 1080,
    durationMs: 60_000,
    index: [{ offset: 40, length: 30_000 }],
  },
};

test('a list of files survives', () => {
  const manifest = { files: [film, { ...film, path: ['notes.txt'], type: 'text/plain', bytes: 0, probe: null }] };
  expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
});

test.each([
  [['']],
  [['.']],
  [['..', 'x']],
  [['a/b']],
  [['a\\b']],
  [['a\0']],
  [[]],
  [Array.from({ length: 17 }, () => 'd')],
  [['x'.repeat(1025)]],
])('the path %j is refused', (path) => {
  expect(() => encodeManifest({ files: [{ ...film, path }] })).toThrow('breaks a rule');
});

test('two files with one path, no file and too many files are refused', () => {
  expect(() => encodeManifest({ files: [film, film] })).toThrow('one path');
  expect(() => encodeManifest({ files: [] })).toThrow('breaks a rule');
  const files = Array.from({ length: MAX_MANIFEST_FILES + 1 }, (_, index) => ({
    ...film,
    probe: null,
    path: [`${index}`],
  }));
  expect(() => encodeManifest({ files })).toThrow('breaks a rule');
  expect(decodeManifest(encodeManifest({ files: files.slice(1) })).files).toHaveLength(MAX_MANIFEST_FILES);
});

test('arbitrary bytes never do anything but throw an expected error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(toUtf8)), (bytes) => {
      expect(() => decodeManifest(bytes)).toThrow(AppError);
    }),
    { numRuns: fuzzRuns(2000) },
  );
});

test('the ends of a file cover a small one whole', () => {
  expect(edgeRanges(0)).toEqual({ head: { from: 0, to: 0 }, tail: { from: 0, to: 0 } });
  expect(edgeRanges(1000)).toEqual({ head: { from: 0, to: 1000 }, tail: { from: 0, to: 1000 } });
  expect(edgeRanges(200_000)).toEqual({ head: { from: 0, to: 65_536 }, tail: { from: 134_464, to: 200_000 } });
});

test('the beginning of a long list is read without the rest of it', () => {
  const names = ['}{".jpg', 'quote " and }.txt', 'é 漢字 {.mp4', 'plain'];
  const files = Array.from({ length: 40 }, (_, index) => ({ ...film, path: [`${index}`, names[index % 4] ?? ''] }));
  const bytes = encodeManifest({ files });
  expect(decodeBeginning(bytes, 15).files).toEqual(files.slice(0, 15));
  expect(decodeBeginning(bytes.subarray(0, bytes.length - 9), 15).files).toEqual(files.slice(0, 15));
  expect(() => decodeBeginning(bytes, 41)).toThrow('shorter than it was announced');
});

test('of the first files of a list the names alone are read, and none behind so many bytes', () => {
  const names = ['}{".jpg', 'é 漢字 {.mp4', 'plain'];
  const bytes = encodeManifest({ files: names.map((name) => ({ ...film, path: ['album', name] })) });
  const read = (most: number, mostBytes: number) => decodePaths(bytes, most, mostBytes).map(([, name]) => name);
  expect([read(3, Infinity), read(2, Infinity), read(3, 1)]).toEqual([names, names.slice(0, 2), names.slice(0, 1)]);
  expect(() => decodePaths(toUtf8('{"files":[{"path":7}],"v":1}'), 1, Infinity)).toThrow('expected array');
});
