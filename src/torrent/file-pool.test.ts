import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../base/system-clock.ts';
import { FilePool } from './file-pool.ts';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-pool-'));
  path = join(folder, 'file');
  await writeFile(path, 'content');
});
afterAll(() => rm(folder, { recursive: true }));

/** Counts how often each key is opened. */
function opener(counts: Map<string, number>, key: string): () => ReturnType<typeof open> {
  return () => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return open(path, 'r');
  };
}

test('a file is opened once for many users, and the one unused longest makes room', async () => {
  await using pool = new FilePool({ limit: 2 });
  const counts = new Map<string, number>();
  const use = (key: string): Promise<string> =>
    pool.use(key, opener(counts, key), async (file) => (await file.stat()).size.toString());
  expect(await Promise.all([use('a'), use('a'), use('b'), use('a')])).toEqual(['7', '7', '7', '7']);
  await use('c');
  await use('a');
  await use('b');
  expect(Object.fromEntries(counts)).toEqual({ a: 1, b: 2, c: 1 });
  expect(pool.size).toBe(2);
});

test('more users than descriptors wait for each other and all get their turn', async () => {
  await using pool = new FilePool({ limit: 3 });
  let most = 0;
  const users = Array.from({ length: 50 }, (_, index) =>
    pool.use(
      `file ${index}`,
      () => open(path, 'r'),
      async (file) => {
        most = Math.max(most, pool.size);
        await systemClock.sleep(1);
        return (await file.stat()).size;
      },
    ),
  );
  expect(new Set(await Promise.all(users))).toEqual(new Set([7]));
  expect(most).toBe(3);
});

test('a discarded file is closed by its last user and opened anew by the next', async () => {
  await using pool = new FilePool();
  const counts = new Map<string, number>();
  await pool.use('a', opener(counts, 'a'), async (file) => {
    await pool.discard('a');
    expect((await file.stat()).size).toBe(7);
    expect(pool.size).toBe(1);
  });
  expect(pool.size).toBe(0);
  await pool.use('a', opener(counts, 'a'), async (file) => file.stat());
  expect(counts.get('a')).toBe(2);
});

test('a file that does not open fails its users and takes no place', async () => {
  await using pool = new FilePool({ limit: 1 });
  const missing = (): ReturnType<typeof open> => open(join(folder, 'nowhere'), 'r');
  const users = [1, 2].map(() => pool.use('a', missing, async () => 1));
  for (const user of users) await expect(user).rejects.toMatchObject({ code: 'ENOENT' });
  expect(pool.size).toBe(0);
  expect(
    await pool.use(
      'b',
      () => open(path, 'r'),
      async () => 2,
    ),
  ).toBe(2);
});

test.skipIf(process.platform !== 'linux')('closing the pool leaves no descriptor open', async () => {
  const before = (await readdir('/proc/self/fd')).length;
  const pool = new FilePool();
  await Promise.all(
    [1, 2, 3].map((key) =>
      pool.use(
        `${key}`,
        () => open(path, 'r'),
        async (file) => file.stat(),
      ),
    ),
  );
  expect((await readdir('/proc/self/fd')).length).toBe(before + 3);
  await pool[Symbol.asyncDispose]();
  expect((await readdir('/proc/self/fd')).length).toBe(before);
});
