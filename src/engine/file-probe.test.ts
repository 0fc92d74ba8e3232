import { expect, test } from 'vitest';
import { playability } from '../player/playability.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';
import { probeOf } from './file-probe.ts';

function unprobed(name: string): ManifestFile {
  const sha256 = '0'.repeat(64);
  const type = 'application/octet-stream';
  return { path: ['Summer', name], type, bytes: 1, mtimeMs: 0, headSha256: sha256, tailSha256: sha256, probe: null };
}

test('of a folder with more files than are looked into, a photo is shown by its name and a film opens elsewhere', () => {
  const [photo, film, text] = ['IMG_5001.JPG', 'beach.mp4', 'notes.txt'].map((name) => probeOf(unprobed(name)));
  expect([photo, film, text].map((probe) => probe && [probe.kind, playability(probe)])).toEqual([
    ['image', 'here'],
    ['video', 'elsewhere'],
    ['other', 'no'],
  ]);
});

test('what was found in a file counts more than its name', () => {
  const file = { ...unprobed('song.jpg'), type: 'audio/mpeg' };
  expect(probeOf(file).kind).toBe('audio');
});
