import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeCopied, TreeCopy } from './tree-copy.ts';

const noSignal = new AbortController().signal;

async function folders(onBytes: (from: string) => void = () => undefined) {
  const root = await mkdtemp(join(tmpdir(), 'spherecast-tree-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const [from, to] = [join(root, 'from'), join(root, 'to')];
  await mkdir(from);
  await mkdir(to);
  const copy = new TreeCopy({ from, to, isForeign: () => false, onBytes: () => onBytes(from) });
  return { from, to, copy };
}

// As on a disk for which "Beach.jpg" and "beach.jpg" are one name: what it has by that name is another file of the tree.
test.each([
  ['a file', (path: string) => writeFile(path, 'mine')],
  ['a folder', (path: string) => mkdir(path)],
])('of two names that are one on the other disk %s never takes the place of the first', async (_, make) => {
  const { from, to, copy } = await folders();
  await make(join(from, 'beach'));
  await mkdir(join(to, 'beach'));
  await writeFile(join(to, 'beach', 'other.jpg'), 'the other');
  await expect(copy.pass(noSignal)).rejects.toMatchObject({ code: 'name-taken' });
  expect(await readFile(join(to, 'beach', 'other.jpg'), 'utf8')).toBe('the other');
});

test('a file that changed while it was copied is copied anew', async () => {
  const { from, to, copy } = await folders();
  await writeFile(join(from, 'notes.txt'), 'first');
  await copy.pass(noSignal);
  await writeFile(join(from, 'notes.txt'), 'second, longer');
  expect([await copy.pass(noSignal), await copy.pass(noSignal)]).toEqual([1, 0]);
  expect(await readFile(join(to, 'notes.txt'), 'utf8')).toBe('second, longer');
});

test('of a file that goes while it is copied nothing is in the new place', async () => {
  const { from, to, copy } = await folders((folder) => rmSync(join(folder, 'film.part'), { force: true }));
  await writeFile(join(from, 'film.part'), 'half of it');
  for (let passes = 0; passes < 3; passes += 1) await copy.pass(noSignal);
  expect(await readdir(to)).toEqual([]);
});

test('what cannot be taken away from the old place stays there, and keeps nothing else from going', async () => {
  const { from, copy } = await folders();
  for (const name of ['a film in use.mp4', 'notes.txt']) await writeFile(join(from, name), name);
  await copy.pass(noSignal);
  const unlink = (path: string): Promise<void> =>
    path.endsWith('.mp4') ? Promise.reject(Object.assign(new Error('EBUSY'), { code: 'EBUSY' })) : rm(path);
  expect(await removeCopied({ folder: from, marks: new Set(copy.marks), unlink }, noSignal)).toBe(1);
  expect(await readdir(from)).toEqual(['a film in use.mp4']);
});
