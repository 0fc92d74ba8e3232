import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readIdentity } from './file-identity.ts';
import { FileThread } from './file-thread.ts';
import type { FileParts } from './file-job.ts';

const never = new AbortController().signal;
const home = mkdtempSync(join(tmpdir(), 'file-thread-'));
const thread = new FileThread();
afterAll(async () => {
  await thread[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** Files of one folder, beside which lies a link to the folder. */
async function manyFiles(name: string, count = 300) {
  const root = join(await realpath(home), name);
  await mkdir(join(root, 'album'), { recursive: true });
  await symlink('album', join(root, 'link'));
  const names = Array.from({ length: count }, (_, index) => `${index}.bin`);
  await Promise.all(names.map((file) => writeFile(join(root, 'album', file), file.padEnd(100))));
  return { root, names, paths: names.map((file) => join(root, 'album', file)) };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('many files are looked at, digested and synced with one result each, in their order', async () => {
  const { root, names, paths } = await manyFiles('all');
  const identities = await Promise.all(paths.map((path) => readIdentity(path)));
  expect(await thread.look(paths, never)).toEqual(identities);
  const parts = (path: string): FileParts => ({
    path,
    parts: [
      { from: 0, to: 100 },
      { from: 99, to: 100 },
    ],
  });
  const digests = names.map((name) => [sha256(name.padEnd(100)), sha256(' ')]);
  expect(await thread.digest(paths.map(parts), never)).toEqual(digests);
  const written = paths.map((path) => ({ path, root, length: 100 }));
  expect(await thread.sync(written, never)).toEqual(identities);
});

test('what is not as it should be is left to the usual way, and no link is followed to it', async () => {
  const { root, paths } = await manyFiles('odd');
  const [first = '', second = ''] = paths;
  await symlink(second, join(root, 'album', 'to a file'));
  const odd = [join(root, 'link', '5.bin'), join(root, 'album', 'to a file'), join(root, 'album'), join(root, 'gone')];
  const whole = [{ from: 0, to: 100 }];
  const found = await thread.look([...odd, ...paths], never);
  expect(found.slice(1, 4)).toEqual([undefined, undefined, undefined]);
  const digests = await thread.digest(
    [...odd, first, ...paths].map((path) => ({ path, parts: whole })),
    never,
  );
  expect(digests.slice(1, 5).map((digest) => digest?.length)).toEqual([undefined, undefined, undefined, 1]);
  const synced = await thread.sync(
    [
      ...odd.map((path) => ({ path, root, length: 100 })),
      { path: first, root, length: 99 },
      { path: first, root: join(root, 'link'), length: 100 },
      ...paths.map((path) => ({ path, root, length: 100 })),
    ],
    never,
  );
  expect(synced.slice(0, 7).map((answer) => (typeof answer === 'object' ? answer.size : answer))).toEqual([
    ...Array.from({ length: 6 }),
    100,
  ]);
});

test('a wait for many files ends with its signal, and a thread that is gone does nothing more', async () => {
  const { paths } = await manyFiles('ends', 100);
  const abort = new AbortController();
  abort.abort(new Error('nobody waits'));
  await expect(thread.look(paths, abort.signal)).rejects.toThrow('nobody waits');
  const gone = new FileThread();
  await gone[Symbol.asyncDispose]();
  expect(await gone.look(paths, never)).toEqual(paths.map(() => undefined));
  expect(await gone.run({ kind: 'read', files: [] })).toEqual([]);
});
