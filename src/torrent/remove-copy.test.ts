import { mkdir, mkdtemp, readdir, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Segment } from '../contract/swarm.ts';
import { readIdentity } from './file-identity.ts';
import { removeCopy, removeLinks } from './remove-copy.ts';

const { signal } = new AbortController();
let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'remove-copy-')));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** A received album of two photos, one of them in a subfolder. */
async function album(): Promise<{ path: string; segments: Segment[] }> {
  const path = join(folder, 'Album');
  const paths = [join(path, 'a.jpg'), join(path, 'deep', 'b.jpg')];
  await mkdir(join(path, 'deep'), { recursive: true });
  const segments: Segment[] = [];
  for (const file of paths) {
    await writeFile(file, 'photo');
    const identity = await readIdentity(file);
    segments.push({ kind: 'file', offset: 0, length: 5, path: file, root: folder, identity });
  }
  return { path, segments };
}

test('a received folder is gone with all its files', async () => {
  expect(await removeCopy(await album(), signal)).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('a photo that was edited and a file put beside the others stay', async () => {
  const item = await album();
  await writeFile(join(item.path, 'a.jpg'), 'my own crop');
  await writeFile(join(item.path, 'deep', 'notes.txt'), 'mine');
  expect(await removeCopy(item, signal)).toBe(1);
  expect(await readdir(folder, { recursive: true })).toEqual([
    'Album',
    'Album/a.jpg',
    'Album/deep',
    'Album/deep/notes.txt',
  ]);
});

test('what is there already gone is no failure', async () => {
  const item = await album();
  await rm(item.path, { recursive: true });
  expect(await removeCopy(item, signal)).toBe(0);
});

test('a folder that is a link by now keeps what it leads to', async () => {
  const item = await album();
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'b.jpg'), 'photo');
  await rm(join(item.path, 'deep'), { recursive: true });
  await symlink(elsewhere, join(item.path, 'deep'));
  expect(await removeCopy(item, signal)).toBe(1);
  expect(await readdir(elsewhere)).toEqual(['b.jpg']);
});

test('an original that was shared is never deleted', async () => {
  const item = await album();
  const own = item.segments.map((segment) => ({ ...segment, root: null }) as Segment);
  await removeCopy({ ...item, segments: own }, signal);
  expect(await readdir(item.path)).toEqual(['a.jpg', 'deep']);
});

test('a link goes only when it leads to that original', async () => {
  const target = join(folder, 'film.mp4');
  const sphere = join(folder, 'sphere');
  await mkdir(sphere);
  await writeFile(target, 'film');
  await utimes(target, 1, 1);
  await symlink(target, join(sphere, 'film.mp4'));
  await symlink('/elsewhere', join(sphere, 'other.mp4'));
  await writeFile(join(sphere, 'mine.txt'), 'mine');
  await removeLinks({ folder: sphere, target });
  expect((await readdir(sphere)).toSorted()).toEqual(['mine.txt', 'other.mp4']);
  await removeLinks({ folder: join(folder, 'missing'), target });
});
