import {
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeItem, placeLink, removeLink } from './place-files.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'place-')));
});
afterEach(() => rm(folder, { recursive: true }));

test('a file that is there is never touched: the item becomes "name (2)"', async () => {
  await writeFile(join(folder, 'Film.mp4'), 'mine');
  const item = { folder, root: 'file', name: 'film.mp4', files: [['film.mp4']] } as const;
  const placed = await placeItem(item, never);
  expect(placed).toEqual({ path: join(folder, 'film (2).mp4'), root: folder, files: [join(folder, 'film (2).mp4')] });
  expect((await placeItem(item, never)).path).toBe(join(folder, 'film (3).mp4'));
  expect(await readFile(join(folder, 'Film.mp4'), 'utf8')).toBe('mine');
  expect((await stat(placed.path)).mode & 0o777).toBe(0o644);
});

test('a folder gets a folder of its own and safe, different names inside', async () => {
  await mkdir(join(folder, 'Album 1.0'));
  const placed = await placeItem(
    {
      folder,
      root: 'folder',
      name: 'Album 1.0',
      files: [
        ['..', 'CON'],
        ['x', 'A'],
        ['X', 'a'],
        ['x', '/etc/passwd'],
      ],
    },
    never,
  );
  expect(placed.path).toBe(join(folder, 'Album 1.0 (2)'));
  expect(placed.files.map((file) => file.slice(placed.path.length + 1))).toEqual([
    '_/_CON',
    'x/A',
    'x/a (2)',
    'x/_etc_passwd',
  ]);
  expect(await readdir(placed.path)).toEqual([]);
});

test('a hostile name stays one component of the folder', async () => {
  for (const name of ['../../evil', '/etc', '..', '', 'a/b', 'nul', '\u202Ecod.exe']) {
    const placed = await placeItem({ folder, root: 'folder', name, files: [] }, never);
    expect(join(placed.path, '..')).toBe(folder);
  }
  expect((await readdir(folder)).length).toBe(7);
});

test('a link in the way, even a broken one, is not followed', async () => {
  await symlink(join(folder, 'elsewhere'), join(folder, 'film.mp4'));
  const placed = await placeItem({ folder, root: 'file', name: 'film.mp4', files: [] }, never);
  expect(placed.path).toBe(join(folder, 'film (2).mp4'));
  expect((await readdir(folder)).toSorted()).toEqual(['film (2).mp4', 'film.mp4']);
});

test('a sphere folder that the person reached by a link is used where it really is', async () => {
  await mkdir(join(folder, 'disk'));
  await symlink('disk', join(folder, 'sphere'));
  const placed = await placeItem({ folder: join(folder, 'sphere'), root: 'file', name: 'a', files: [] }, never);
  expect(placed).toMatchObject({ path: join(folder, 'disk', 'a'), root: join(folder, 'disk') });
});

test('a missing sphere folder is not made', async () => {
  const item = { folder: join(folder, 'gone'), root: 'file', name: 'a', files: [] } as const;
  await expect(placeItem(item, never)).rejects.toMatchObject({ code: 'file-missing' });
  expect(await readdir(folder)).toEqual([]);
});

test('a shared original is shown by a link with a free name', async () => {
  const target = join(folder, 'original');
  await writeFile(target, 'x');
  await writeFile(join(folder, 'film.mp4'), 'other');
  const link = await placeLink({ folder, name: 'film.mp4', target, kind: 'file' }, never);
  expect(link).toBe(join(folder, 'film (2).mp4'));
  expect(await readlink(String(link))).toBe(target);
});

// Needs a second file system that is always there.
test.skipIf(process.platform !== 'linux')(
  'where files cannot be symbolic links one hard link stands in, and none across disks',
  async () => {
    const target = join(folder, 'original');
    await writeFile(target, 'x');
    const link = await placeLink({ folder, name: 'film.mp4', target, kind: 'file', platform: 'win32' }, never);
    expect((await stat(String(link))).ino).toBe((await stat(target)).ino);
    const other = { folder, name: 'cpu', target: '/proc/cpuinfo', kind: 'file', platform: 'win32' } as const;
    expect(await placeLink(other, never)).toBeNull();
    const { ctimeMs } = await stat(target);
    const second = { folder, name: 'again.mp4', target, kind: 'file', platform: 'win32' } as const;
    expect(await placeLink(second, never)).toBeNull();
    expect((await stat(target)).ctimeMs).toBe(ctimeMs);
  },
);

test('a link is taken away, but never what a person put in its place, nor the last name of a file', async () => {
  const target = join(folder, 'original');
  await writeFile(target, 'x');
  const path = join(folder, 'film.mp4');
  await symlink(target, path);
  await removeLink({ path, target });
  await link(target, path);
  await removeLink({ path, target });
  expect(await readdir(folder)).toEqual(['original']);
  await removeLink({ path, target });
  await writeFile(path, 'my own');
  await removeLink({ path, target });
  await rm(path);
  await link(target, path);
  await rm(target);
  await removeLink({ path, target });
  expect(await readFile(path, 'utf8')).toBe('x');
});
