import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { KnownEvent } from './protocol/event.ts';
import type { Manifest } from './protocol/manifest.ts';
import { receivePlace } from './receive-place.ts';

const folder = mkdtempSync(join(tmpdir(), 'spherecast-place-'));
afterAll(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;
const digest = 'ab'.repeat(32);

function listOf(...sizes: number[]): { manifest: Manifest; bytes: Uint8Array } {
  const files = sizes.map((bytes, index) => ({
    path: [`part ${index}.bin`],
    type: 'application/octet-stream',
    bytes,
    mtimeMs: 0,
    headSha256: digest,
    tailSha256: digest,
    probe: null,
  }));
  return { manifest: { files }, bytes: new Uint8Array(100) };
}

function itemOf(name: string, bytes: number, fileCount: number): KnownEvent<'item'> {
  const media = { kind: 'folder' };
  return {
    type: 'item',
    body: { name, bytes, fileCount, pieceLength: 262_144, media },
  } as unknown as KnownEvent<'item'>;
}

test('an item whose list of files holds more than it announced gets no place', async () => {
  const announced = itemOf('small', 1_000, 2);
  for (const list of [listOf(500, 2 ** 40), listOf(1_000), listOf(500, 500, 0)]) {
    await expect(receivePlace(folder, announced, list, never)).rejects.toMatchObject({ code: 'invalid-torrent' });
  }
  expect(readdirSync(folder)).toEqual([]);
});

test('an honest item gets a place of its own', async () => {
  const { path, layout } = await receivePlace(folder, itemOf('album', 1_000, 2), listOf(500, 500), never);
  expect(path).toBe(join(folder, 'album'));
  expect(layout.map(({ offset }) => offset)).toEqual([0, 512, 1024]);
});
