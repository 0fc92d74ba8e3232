import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FilePool } from './file-pool.ts';
import { StoreFile } from './store-file.ts';

/** As on a disk that reserves the length of a file and has no room for it, once. */
async function withoutRoomOnce(folder: string): Promise<void> {
  await using file = await open(join(folder, 'any'), 'w');
  const handles = Object.getPrototypeOf(file) as { truncate: typeof file.truncate };
  const { truncate } = handles;
  handles.truncate = () => {
    handles.truncate = truncate;
    return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  };
}

test('a file whose length found no room is begun anew when there is room, and is nobody’s edit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'store-file-'));
  await using pool = new FilePool();
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'film.mp4');
  const segment = { kind: 'file', offset: 0, length: 3, path, root: folder, identity: null } as const;
  const file = new StoreFile({ segment, pool, key: '1' });
  await withoutRoomOnce(folder);
  await expect(file.write(Uint8Array.of(1, 2, 3), 0)).rejects.toMatchObject({ code: 'disk-full' });
  await file.write(Uint8Array.of(1, 2, 3), 0);
  expect([...(await readFile(path))]).toEqual([1, 2, 3]);
});
