import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freeSpace, requireSpace } from './free-space.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'free-space-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what the disk has free is what an ordinary user may still write', async () => {
  const { bavail, bsize } = await statfs(folder);
  // Other programs write and delete meanwhile.
  expect((await freeSpace(folder)) / (bavail * bsize)).toBeCloseTo(1, 0);
});

test('an item that fits beside the reserve passes, a larger one is refused before it starts', async () => {
  const free = await freeSpace(folder);
  await expect(requireSpace(folder, Math.floor(free / 2))).resolves.toBeUndefined();
  const refused = requireSpace(folder, free * 2);
  await expect(refused).rejects.toMatchObject({ code: 'disk-full', details: { needed: free * 2 } });
});

test('a folder that is not there is reported as missing', async () => {
  await expect(freeSpace(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'file-missing' });
});
