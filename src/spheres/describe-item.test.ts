import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mediaOfNothing } from '../../test/fixtures/media-of-nothing.ts';
import type { Preview, Probe } from '../contract/media.ts';
import type { MediaKind } from '../contract/views.ts';
import { enumerateTree } from '../torrent/enumerate.ts';
import { describeItem, type MediaTools } from './describe-item.ts';

const never = new AbortController().signal;
const home = mkdtempSync(join(tmpdir(), 'describe-item-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const KINDS: Readonly<Record<string, MediaKind>> = { jpg: 'image', mp4: 'video', mp3: 'audio' };
const drawn = (name: string): Preview => ({
  image: Buffer.from(name),
  thumbhash: Buffer.from('hash'),
  width: 320,
  height: 240,
});

/** Knows kinds by the names of files, and can draw those that are not called broken. */
function mediaByName(tried: string[]): MediaTools {
  return {
    async probe(path, signal): Promise<Probe> {
      const kind = KINDS[path.split('.').at(-1) ?? ''] ?? 'other';
      return { ...(await mediaOfNothing.probe(path, signal)), kind };
    },
    preview(path) {
      tried.push(basename(path));
      return Promise.resolve(basename(path).startsWith('broken') ? null : drawn(basename(path)));
    },
  };
}

async function describeFolder(name: string, files: readonly string[]) {
  const folder = join(home, name);
  mkdirSync(folder);
  for (const file of files) writeFileSync(join(folder, file), file);
  const tried: string[] = [];
  const { preview, media } = await describeItem(
    await enumerateTree(folder, never),
    { media: mediaByName(tried) },
    never,
  );
  return { picture: preview === null ? null : Buffer.from(preview.image).toString(), tried, media };
}

test('the picture of a folder is that of its first file that can be drawn', async () => {
  const { picture, tried, media } = await describeFolder('Beach', ['a.txt', 'broken.jpg', 'lake.mp4', 'sea.jpg']);
  expect([picture, tried]).toEqual(['lake.mp4', ['broken.jpg', 'lake.mp4']]);
  expect(media).toEqual({ kind: 'folder', type: 'inode/directory', width: 320, height: 240, durationMs: null });
});

test('a folder in which nothing is a picture, film or music has none, and nothing is tried', async () => {
  const { picture, tried, media } = await describeFolder('Papers', ['a.txt', 'b.pdf']);
  expect([picture, tried, media.width]).toEqual([null, [], null]);
});

test('after five files that cannot be drawn a folder goes without a picture', async () => {
  const broken = [1, 2, 3, 4, 5].map((number) => `broken-${number}.jpg`);
  const { picture, tried } = await describeFolder('Scans', [...broken, 'fine.jpg']);
  expect([picture, tried]).toEqual([null, broken]);
});
