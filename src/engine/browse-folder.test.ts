import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { browseFolder } from './browse-folder.ts';

const { signal } = new AbortController();
let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(path.join(tmpdir(), 'spherecast-home-')));
  mkdirSync(path.join(home, 'Films'));
  writeFileSync(path.join(home, 'Films', 'a.mp4'), '12345');
  writeFileSync(path.join(home, 'b.txt'), '1');
  writeFileSync(path.join(home, '.secret'), '1');
  symlinkSync('/etc', path.join(home, 'out'));
  symlinkSync(path.join(home, 'Films'), path.join(home, 'Shortcut'));
  symlinkSync(path.join(home, 'nowhere'), path.join(home, 'dangling'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('folders come first, hidden entries and links that lead out are left out', async () => {
  expect(await browseFolder(home, undefined, signal)).toEqual({
    path: home,
    parent: null,
    entries: [
      { name: 'Films', path: path.join(home, 'Films'), kind: 'folder', bytes: 0 },
      { name: 'Shortcut', path: path.join(home, 'Shortcut'), kind: 'folder', bytes: 0 },
      { name: 'b.txt', path: path.join(home, 'b.txt'), kind: 'file', bytes: 1 },
    ],
  });
  expect(await browseFolder(home, path.join(home, 'Films'), signal)).toEqual({
    path: path.join(home, 'Films'),
    parent: home,
    entries: [{ name: 'a.mp4', path: path.join(home, 'Films', 'a.mp4'), kind: 'file', bytes: 5 }],
  });
});

test.each([
  ['/etc', 'path-outside'],
  ['..', 'path-outside'],
  ['out', 'path-outside'],
  ['missing', 'not-found'],
  ['b.txt', 'not-found'],
])('%s is refused as %s', async (folder, code) => {
  await expect(browseFolder(home, folder, signal)).rejects.toMatchObject({ code });
});

test('a folder whose name begins with two dots lies in the home folder', async () => {
  mkdirSync(path.join(home, '..old'));
  expect(await browseFolder(home, '..old', signal)).toMatchObject({ path: path.join(home, '..old'), parent: home });
});
