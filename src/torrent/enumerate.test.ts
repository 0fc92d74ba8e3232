import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { enumerateTree, enumerateWith } from './enumerate.ts';
import { readIdentity } from './file-identity.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'enumerate-')));
});
afterEach(() => rm(folder, { recursive: true }));

test('a folder is listed in order with sizes, times and identities; links, clutter and special files are told apart', async () => {
  const album = join(folder, 'Été');
  await mkdir(join(album, 'b', 'c'), { recursive: true });
  await mkdir(join(album, 'empty'));
  await writeFile(join(album, 'z.jpg'), 'zz');
  await writeFile(join(album, 'b', 'c', 'film.mp4'), 'film');
  await writeFile(join(album, 'b', 'Thumbs.db'), 'x');
  await writeFile(join(album, '.DS_Store'), 'x');
  await writeFile(join(album, 'DESKTOP.INI'), 'x');
  await writeFile(join(album, 'nothing'), '');
  await symlink('/etc', join(album, 'link-to-folder'));
  await symlink('/etc/passwd', join(album, 'b', 'link-to-file'));
  await symlink('nowhere', join(album, 'b', 'broken'));
  execFileSync('mkfifo', [join(album, 'pipe')]);
  const tree = await enumerateTree(album, never);
  expect(tree).toMatchObject({ root: 'folder', name: 'Été', totalBytes: 6 });
  expect(tree.files.map((file) => [file.components.join('/'), file.size])).toEqual([
    ['b/c/film.mp4', 4],
    ['nothing', 0],
    ['z.jpg', 2],
  ]);
  expect(tree.files[2]?.path).toBe(join(album, 'z.jpg'));
  expect(tree.files[2]?.identity).toEqual(await readIdentity(join(album, 'z.jpg')));
  expect(tree.leftOut.toSorted((a, b) => a.reason.localeCompare(b.reason))).toEqual([
    { reason: 'clutter', count: 3, names: ['.DS_Store', 'DESKTOP.INI', 'b/Thumbs.db'] },
    { reason: 'empty', count: 1, names: ['empty'] },
    { reason: 'link', count: 3, names: ['b/broken', 'b/link-to-file', 'link-to-folder'] },
    { reason: 'special', count: 1, names: ['pipe'] },
  ]);
});

test('of many links the first few names are kept, and how many there are', async () => {
  await Promise.all(Array.from({ length: 30 }, (_, index) => symlink('nowhere', join(folder, `link ${index}`))));
  const [links] = (await enumerateTree(folder, never)).leftOut;
  expect(links).toMatchObject({ reason: 'link', count: 30 });
  expect(links?.names).toHaveLength(10);
});

test('a file is a tree of one, named as it is', async () => {
  const path = join(folder, 'film.mp4');
  await writeFile(path, 'film');
  const tree = await enumerateTree(path, never);
  expect(tree).toMatchObject({ root: 'file', name: 'film.mp4', totalBytes: 4 });
  expect(tree.files).toMatchObject([{ path, components: ['film.mp4'], size: 4 }]);
});

test('a link that is dropped itself is resolved once and keeps its name', async () => {
  await mkdir(join(folder, 'real'));
  await writeFile(join(folder, 'real', 'a'), 'a');
  await symlink(join(folder, 'real', 'a'), join(folder, 'film.mp4'));
  await symlink('real', join(folder, 'album'));
  const file = await enumerateTree(join(folder, 'film.mp4'), never);
  expect(file).toMatchObject({ root: 'file', name: 'film.mp4', files: [{ path: join(folder, 'real', 'a') }] });
  const album = await enumerateTree(`${join(folder, 'album')}/`, never);
  expect(album).toMatchObject({ root: 'folder', name: 'album', files: [{ path: join(folder, 'real', 'a') }] });
});

test('names that are no text are left out', async () => {
  const raw = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]);
  await writeFile(raw, 'x');
  await writeFile(join(folder, 'real \uFFFD'), 'y');
  const tree = await enumerateTree(folder, never);
  expect(tree.files.map((file) => file.components)).toEqual([['real \uFFFD']]);
  expect(tree.leftOut).toEqual([{ reason: 'name', count: 1, names: ['caf\uFFFD'] }]);
});

test('what cannot be shared is refused with its reason', async () => {
  await expect(enumerateTree(join(folder, 'nowhere'), never)).rejects.toMatchObject({ code: 'file-missing' });
  await expect(enumerateTree('/', never)).rejects.toMatchObject({ code: 'bad-input' });
  await expect(enumerateTree('/dev/null', never)).rejects.toMatchObject({ code: 'bad-input' });
  await symlink('loop', join(folder, 'loop'));
  await expect(enumerateTree(join(folder, 'loop'), never)).rejects.toMatchObject({ code: 'file-missing' });
  await mkdir(join(folder, ...Array<string>(17).fill('deep')), { recursive: true });
  await expect(enumerateTree(folder, never)).rejects.toMatchObject({ code: 'too-large', details: { limit: 'levels' } });
});

test('more files than an item can have are refused, exactly as many are not', async () => {
  const most = 500;
  await Promise.all(Array.from({ length: most }, (_, index) => writeFile(join(folder, `f${index}`), '')));
  expect((await enumerateWith({ mostFiles: most }, folder, never)).files.length).toBe(most);
  await writeFile(join(folder, 'one more'), '');
  const refused = { code: 'too-large', details: { limit: 'files', most } };
  await expect(enumerateWith({ mostFiles: most }, folder, never)).rejects.toMatchObject(refused);
});

test('listing stops when it is cancelled', async () => {
  await writeFile(join(folder, 'a'), '');
  const abort = new AbortController();
  const listing = enumerateTree(folder, abort.signal);
  abort.abort();
  await expect(listing).rejects.toMatchObject({ name: 'AbortError' });
});
