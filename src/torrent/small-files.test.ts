import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { mkdir, readFile, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { manyFiles } from '../../test/fixtures/many-files.ts';
import { pieceTools } from '../../test/fixtures/piece-tools.ts';
import { readPiece, SharedItem } from '../../test/fixtures/shared-item.ts';
import { FileThread, type ManyFiles } from './file-thread.ts';
import type { PieceTools } from './seal-piece.ts';
import type { SmallFilesJob } from './small-files.ts';
import { runSmallFiles } from './small-files.ts';

const never = new AbortController().signal;
const FILES = 40;

function manySmall(): Promise<SharedItem> {
  const files = Array.from({ length: FILES }, (_, number) => ({
    name: `album/part ${number % 3}/${number}.jpg`,
    content: randomBytes(3000),
  }));
  return SharedItem.make({ pieceLength: 32 * 1024, padding: 20_000, manifest: randomBytes(100), files });
}

/** How many files were done in one go. */
function counting(): { readonly tools: PieceTools; readonly done: Record<SmallFilesJob['kind'], number> } {
  const done = { read: 0, write: 0 };
  const run = (job: SmallFilesJob): Promise<readonly boolean[]> => {
    const answers = runSmallFiles(job);
    done[job.kind] += answers.filter(Boolean).length;
    return Promise.resolve(answers);
  };
  return { tools: { ...pieceTools(), small: { ...manyFiles(), run } }, done };
}

async function transfer(item: SharedItem, tools: PieceTools): Promise<void> {
  const [{ store: shared }, { store: receiver }] = [item.openShared({ tools }), item.openReceiver({ tools })];
  for (let piece = 0; piece < item.pieceCount; piece += 1) await receiver.write(piece, await readPiece(shared, piece));
  await receiver.sync(never);
  for (let piece = 0; piece < item.pieceCount; piece += 1) {
    expect(await readPiece(receiver, piece)).toEqual(await readPiece(shared, piece));
  }
  for (const { name, content } of item.layout.files) {
    expect(Buffer.compare(await readFile(item.received(name)), content)).toBe(0);
  }
}

test('files that lie in a piece as a whole are read and made in one go, and arrive byte for byte', async () => {
  await using item = await manySmall();
  const { tools, done } = counting();
  await transfer(item, tools);
  // Three pieces have a file that goes on in the next one.
  expect(done.write).toBeGreaterThan(30);
  expect(done.read).toBeGreaterThan(60);
});

test('a small file that was edited is refused, and served again once it is what it was', async () => {
  await using item = await manySmall();
  const { store, faults } = item.openShared();
  const [first] = item.layout.files;
  if (first === undefined) throw new Error('no file');
  const path = item.original(first.name);
  await writeFile(path, randomBytes(3000));
  await expect(readPiece(store, 0)).rejects.toMatchObject({ code: 'file-changed' });
  expect(faults).toMatchObject([{ kind: 'changed', file: 0 }]);
  await writeFile(path, first.content);
  await utimes(path, 1, 1);
  expect(await store.heal(never)).toHaveLength(FILES);
  expect(await readPiece(store, 0)).toHaveLength(32 * 1024);
});

test('a link in the place of a folder is not followed by small files', async () => {
  await using item = await manySmall();
  const outside = join(item.folder, 'outside');
  await mkdir(join(outside, 'part 0'), { recursive: true });
  await symlink(outside, item.received('album'));
  const { store: shared } = item.openShared();
  const { store: receiver } = item.openReceiver();
  await expect(receiver.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'path-outside' });
  expect(await readdir(outside, { recursive: true })).toEqual(['part 0']);
});

test('a small file that lies there already is not taken for ours', async () => {
  await using item = await manySmall();
  const [first] = item.layout.files;
  const path = item.received(first?.name ?? '');
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, 'x'.repeat(5000));
  const { store: shared } = item.openShared();
  const { store: receiver } = item.openReceiver();
  await expect(receiver.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'file-changed' });
  expect(await readFile(path, 'utf8')).toBe('x'.repeat(5000));
});

test('a thread does the same, and when it is gone everything goes the usual way', async () => {
  await using item = await manySmall();
  const thread = new FileThread();
  const answers: (readonly boolean[])[] = [];
  const run = async (job: SmallFilesJob): Promise<readonly boolean[]> => {
    answers.push(await thread.run(job));
    return answers.at(-1) ?? [];
  };
  await transfer(item, { ...pieceTools(), small: { ...manyFiles(), run } });
  expect(answers.flat().filter(Boolean).length).toBeGreaterThan(90);
  await thread[Symbol.asyncDispose]();
  expect(await thread.run({ kind: 'read', files: [] })).toEqual([]);
  await using other = await manySmall();
  await transfer(other, { ...pieceTools(), small: thread });
});

test('a disk that does not take small files at the end is told as it is, and not asked about them again', async () => {
  await using item = await manySmall();
  const answers = ['ENOSPC'];
  const small: ManyFiles = { ...manyFiles(), sync: async (files) => files.map(() => answers[0]) };
  const tools = { ...pieceTools(), small };
  const [{ store: shared }, { store: receiver }] = [item.openShared(), item.openReceiver({ tools })];
  for (let piece = 0; piece < item.pieceCount; piece += 1) await receiver.write(piece, await readPiece(shared, piece));
  await expect(receiver.sync(never)).rejects.toMatchObject({ code: 'disk-full' });
  answers.pop();
  expect(await receiver.badPieces([], never)).toEqual([]);
  expect(await receiver.sync(never)).toHaveLength(FILES);
});

test('a small file that the disk refuses is told as refused, also when it cannot even be closed well', async () => {
  await using item = await manySmall();
  const root = join(item.folder, 'received');
  const path = join(root, 'a.jpg');
  await writeFile(path, 'abc');
  const { fsync, close, closeSync } = fs;
  onTestFinished(() => {
    Object.assign(fs, { fsync, close, closeSync });
    syncBuiltinESMExports();
    vi.resetModules();
  });
  const failure = (code: string): Error => Object.assign(new Error(code), { code });
  Object.assign(fs, {
    fsync: (_: number, done: (error: Error) => void) => done(failure('ENOSPC')),
    close: (fd: number, done: (error: Error) => void) => close(fd, () => done(failure('EIO'))),
    closeSync: (fd: number) => {
      closeSync(fd);
      throw failure('EIO');
    },
  });
  syncBuiltinESMExports();
  vi.resetModules();
  const { syncFiles } = await import('./small-files.ts');
  expect(await syncFiles([{ path, root, length: 3 }])).toEqual(['ENOSPC']);
});
