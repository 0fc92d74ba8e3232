import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ItemLayout } from '../../test/fixtures/shared-item.ts';
import { pieceTools } from '../../test/fixtures/piece-tools.ts';
import { SharedItem, readPiece } from '../../test/fixtures/shared-item.ts';
import type { ErrorCode } from '../base/errors.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Segment } from '../contract/swarm.ts';
import { readIdentity } from './file-identity.ts';
import type { PieceJob } from './piece-crypto.ts';
import type { PieceTools } from './seal-piece.ts';

const PIECE = 16 * 1024;
const never = new AbortController().signal;
const asRoot = process.platform === 'linux' && process.getuid?.() === 0;

function film(size = 200_000, plain = false): ItemLayout {
  const files = [{ name: 'film.mp4', content: randomBytes(size) }];
  return { pieceLength: PIECE, padding: 100, manifest: randomBytes(50), files, plain };
}

async function edit(path: string, position: number, byte: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Uint8Array.of(byte), 0, 1, position);
}

const TOUCHES: [string, ErrorCode, (path: string) => Promise<unknown>][] = [
  ['edited in place', 'file-changed', (path) => edit(path, 5000, 1)],
  ['cut', 'file-changed', (path) => truncate(path, 1000)],
  ['lengthened', 'file-changed', (path) => appendFile(path, 'more')],
  ['given another time', 'file-changed', (path) => utimes(path, 1, 1)],
  ['given other rights', 'file-changed', (path) => chmod(path, 0o600)],
  ['deleted', 'file-missing', (path) => rm(path)],
  ['moved away', 'file-missing', (path) => rename(path, `${path}-elsewhere`)],
  [
    'replaced by a copy of itself',
    'file-changed',
    (path) => copyFile(path, `${path}-copy`).then(() => rename(`${path}-copy`, path)),
  ],
  ['replaced by a folder', 'file-changed', (path) => rm(path).then(() => mkdir(path))],
  [
    'replaced by a link to its copy',
    'file-changed',
    (path) => rename(path, `${path}-copy`).then(() => symlink(`${path}-copy`, path)),
  ],
];
for (const [what, code, touch] of TOUCHES) {
  test(`nothing of a shared file is served after it was ${what}`, async () => {
    await using item = await SharedItem.make(film());
    const { store, faults } = item.openShared({ cacheBytes: 0 });
    await readPiece(store, 0);
    await readPiece(store, 1);
    await touch(item.original('film.mp4'));
    for (const index of [0, 1, 2, 3]) {
      await expect(readPiece(store, index)).rejects.toMatchObject({ code: expect.stringMatching(/^file-|^path-/) });
    }
    const kind = code === 'file-changed' ? 'changed' : 'missing';
    expect(faults.at(-1)).toMatchObject({ file: 0, path: item.original('film.mp4') });
    expect(faults.some((fault) => fault?.kind === kind)).toBe(true);
    expect(await store.check(never)).toMatchObject({ file: 0 });
  });
}

const three = (): ItemLayout => ({
  ...film(),
  files: ['a', 'b', 'c'].map((name) => ({ name, content: randomBytes(50_000) })),
});

test('files that were touched or copied back are served again once their content was compared', async () => {
  await using item = await SharedItem.make(three());
  const { store, faults } = item.openShared({ cacheBytes: 0 });
  await readPiece(store, 0);
  const [a, b] = [item.original('a'), item.original('b')];
  await utimes(a, 1, 1);
  await copyFile(b, `${b}-copy`);
  await rename(`${b}-copy`, b);
  expect(await store.check(never)).toMatchObject({ kind: 'changed' });
  const identities = await store.heal(never);
  expect(identities?.slice(0, 2)).toEqual([await readIdentity(a), await readIdentity(b)]);
  expect(faults.at(-1)).toBeNull();
  for (let piece = 0; piece < 9; piece += 1) await readPiece(store, piece);
  expect(await store.heal(never)).toBeNull();
});

test('a file that was edited stays changed, and does not keep its neighbours from healing', async () => {
  await using item = await SharedItem.make(three());
  const { store } = item.openShared({ cacheBytes: 0 });
  await edit(item.original('a'), 100, 1);
  await utimes(item.original('c'), 1, 1);
  await store.check(never);
  expect(await store.heal(never)).toBeNull();
  expect(await store.check(never)).toMatchObject({ kind: 'changed', file: 0 });
  await expect(readPiece(store, 0)).rejects.toMatchObject({ code: 'file-changed' });
  await readPiece(store, 8);
});

test('once a file is found changed, pieces of it that are still in memory are not served either', async () => {
  await using item = await SharedItem.make(film());
  const { store } = item.openShared();
  await readPiece(store, 0);
  await edit(item.original('film.mp4'), 190_000, 1);
  expect(await store.check(never)).toMatchObject({ kind: 'changed' });
  await expect(readPiece(store, 0)).rejects.toMatchObject({ code: 'file-changed' });
});

test('a file edited before the store was opened is never served, whatever its identity says', async () => {
  await using item = await SharedItem.make(film());
  const path = item.original('film.mp4');
  await edit(path, 5 * PIECE, 0);
  await edit(path, 5 * PIECE + 1, 1);
  const identity = await readIdentity(path);
  const segments = item.segments.map((segment): Segment =>
    segment.kind === 'file' ? { ...segment, identity } : segment,
  );
  const { store, faults } = item.openShared({ segments });
  expect((await readPiece(store, 4)).length).toBe(PIECE);
  await expect(readPiece(store, 5)).rejects.toMatchObject({ code: 'file-changed' });
  expect(faults).toMatchObject([{ kind: 'changed' }]);
  // From then on nothing of the file is believed.
  await expect(readPiece(store, 6)).rejects.toMatchObject({ code: 'file-changed' });
  expect(await store.check(never)).toMatchObject({ kind: 'changed' });
});

test('while a shared file is being edited every byte that leaves is the ciphertext of the original', async () => {
  await using item = await SharedItem.make(film(40 * PIECE));
  const { store: before } = item.openShared();
  const pieces = await Promise.all(Array.from({ length: 40 }, (_, index) => readPiece(before, index)));
  const { store, faults } = item.openShared({ cacheBytes: 0 });
  const results = { served: 0, refused: 0, wrong: 0 };
  const reading = Promise.all(
    Array.from({ length: 8 }, async (_, reader) => {
      for (let round = 0; round < 100; round += 1) {
        const index = (round * 7 + reader) % 40;
        const piece = await readPiece(store, index).catch(() => null);
        if (piece === null) results.refused += 1;
        else if (pieces[index] !== undefined && Buffer.compare(piece, pieces[index]) === 0) results.served += 1;
        else results.wrong += 1;
      }
    }),
  );
  await systemClock.sleep(20);
  for (let round = 0; round < 50; round += 1) await edit(item.original('film.mp4'), round * 9000, round);
  await reading;
  expect(results.wrong).toBe(0);
  expect(results.refused).toBeGreaterThan(0);
  expect(results.served + results.refused).toBe(800);
  expect(faults[0]).toMatchObject({ kind: 'changed' });
});

test('a folder that goes away and comes back is noticed both times', async () => {
  await using item = await SharedItem.make(film());
  const { store, faults } = item.openShared({ cacheBytes: 0 });
  const first = await readPiece(store, 0);
  const folder = join(item.folder, 'original');
  await rename(folder, `${folder}-unplugged`);
  expect(await store.check(never)).toMatchObject({ kind: 'missing' });
  expect(await store.check(never)).toMatchObject({ kind: 'missing' });
  await rename(`${folder}-unplugged`, folder);
  expect(await store.check(never)).toBeNull();
  expect(await readPiece(store, 0)).toEqual(first);
  expect(faults).toMatchObject([{ kind: 'missing' }, null]);
});

test('a file being received that someone else edits is not served from the edited place', async () => {
  await using item = await SharedItem.make(film());
  const { store: shared } = item.openShared();
  const { store } = item.openReceiver({ cacheBytes: 0 });
  for (const index of [0, 1, 2]) await store.write(index, await readPiece(shared, index));
  for (const index of [1, 2]) expect(await readPiece(store, index)).toEqual(await readPiece(shared, index));
  await edit(item.received('film.mp4'), 2 * PIECE + 5, 1);
  await edit(item.received('film.mp4'), 2 * PIECE + 6, 2);
  await expect(readPiece(store, 2)).rejects.toMatchObject({ code: 'file-changed' });
  expect(await readPiece(store, 1)).toEqual(await readPiece(shared, 1));
});

test('a file deleted while it is received is reported, not written into the void', async () => {
  await using item = await SharedItem.make(film());
  const { store: shared } = item.openShared();
  const { store, faults } = item.openReceiver();
  await store.write(0, await readPiece(shared, 0));
  await rm(item.received('film.mp4'));
  await expect(store.write(1, await readPiece(shared, 1))).rejects.toMatchObject({ code: 'file-missing' });
  expect(faults).toMatchObject([{ kind: 'missing' }]);
  await expect(store.write(1, await readPiece(shared, 1))).rejects.toMatchObject({ code: 'file-missing' });
  expect(await readdir(join(item.folder, 'received'))).toEqual([]);
});

test("a file that is longer than ours is somebody else's and stays as it is", async () => {
  await using item = await SharedItem.make(film());
  const { store: shared } = item.openShared();
  await writeFile(item.received('film.mp4'), 'x'.repeat(200_001));
  const { store } = item.openReceiver();
  await expect(store.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'file-changed' });
  expect(await readFile(item.received('film.mp4'), 'utf8')).toBe('x'.repeat(200_001));
});

test('a link on the way or in the place of a file leads nothing out of the folder', async () => {
  const files = [{ name: 'album/deep/film.mp4', content: randomBytes(1000) }];
  await using item = await SharedItem.make({ ...film(), files });
  const outside = join(item.folder, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'film.mp4'), 'private');
  const { store: shared } = item.openShared();
  const piece = await readPiece(shared, 0);
  const attempts: (() => Promise<unknown>)[] = [
    () => symlink(outside, item.received('album')),
    () => mkdir(item.received('album')).then(() => symlink(outside, item.received('album/deep'))),
    () =>
      mkdir(item.received('album/deep'), { recursive: true }).then(() =>
        symlink(join(outside, 'film.mp4'), item.received('album/deep/film.mp4')),
      ),
    () =>
      mkdir(item.received('album/deep'), { recursive: true }).then(() =>
        symlink(join(outside, 'new'), item.received('album/deep/film.mp4')),
      ),
    () => writeFile(item.received('album'), 'a file where a folder should be'),
  ];
  for (const attempt of attempts) {
    await attempt();
    const { store } = item.openReceiver();
    await expect(store.write(0, piece)).rejects.toMatchObject({ code: 'path-outside' });
    await rm(item.received('album'), { recursive: true });
  }
  expect(await readdir(outside)).toEqual(['film.mp4']);
  expect(await readFile(join(outside, 'film.mp4'), 'utf8')).toBe('private');
});

test('a path that is not plainly inside its folder is refused', async () => {
  await using item = await SharedItem.make(film());
  const root = join(item.folder, 'received');
  const { store: shared } = item.openShared();
  const piece = await readPiece(shared, 0);
  for (const path of [
    join(item.folder, 'evil'),
    root,
    `${root}/../evil`,
    `${root}/a/../../evil`,
    `${root}-evil/x`,
    'evil',
    `${root}//x`,
    `${root}/./x`,
  ]) {
    const segments = item
      .receiverSegments()
      .map((segment) => (segment.kind === 'file' ? { ...segment, path } : segment));
    const { store } = item.openReceiver({ segments });
    await expect(store.write(0, piece)).rejects.toMatchObject({ code: 'path-outside' });
  }
  expect((await readdir(item.folder)).toSorted()).toEqual(['original', 'received']);
});

test('a folder that is gone is not made again', async () => {
  await using item = await SharedItem.make(film());
  const { store: shared } = item.openShared();
  await rm(join(item.folder, 'received'), { recursive: true });
  const { store } = item.openReceiver();
  await expect(store.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'file-missing' });
  expect(await readdir(item.folder)).toEqual(['original']);
});

test("a sharer's segment without an identity is refused", async () => {
  await using item = await SharedItem.make(film());
  const segments = item.segments.map((segment): Segment =>
    segment.kind === 'file' ? { ...segment, identity: null } : segment,
  );
  expect(() => item.openShared({ segments })).toThrow(expect.objectContaining({ code: 'bad-input' }));
});

// Mounting a small disk needs root on Linux.
test.skipIf(!asRoot)('a full disk refuses the piece and takes it as soon as there is room', async () => {
  await using item = await SharedItem.make(film(1_500_000));
  const received = join(item.folder, 'received');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', received]);
  try {
    await writeFile(join(received, 'filler'), Buffer.alloc(600_000));
    const { store: shared } = item.openShared();
    const { store } = item.openReceiver();
    const outcomes: unknown[] = [];
    for (let index = 0; index < 40; index += 1) {
      outcomes.push(await store.write(index, await readPiece(shared, index)).catch((error: unknown) => error));
    }
    const refused = outcomes.findIndex((outcome) => outcome !== true);
    expect(refused).toBeGreaterThan(10);
    expect(outcomes[refused]).toMatchObject({ code: 'disk-full' });
    await rm(join(received, 'filler'));
    await store.write(refused, await readPiece(shared, refused));
    expect(await readPiece(store, refused)).toEqual(await readPiece(shared, refused));
    await store[Symbol.asyncDispose]();
  } finally {
    execFileSync('umount', [received]);
  }
});

// Mounting read-only needs root on Linux.
test.skipIf(!asRoot)('a disk that cannot be written to is a disk error, not a missing file', async () => {
  await using item = await SharedItem.make(film());
  const received = join(item.folder, 'received');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', received]);
  try {
    const { store: shared } = item.openShared();
    const { store, faults } = item.openReceiver();
    await expect(store.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'disk-error' });
    expect(faults).toEqual([]);
  } finally {
    execFileSync('umount', [received]);
  }
});

const countDigests = (tools: PieceTools) => {
  const counted = { tools, digests: 0 };
  const run = (job: PieceJob) => {
    if (job.digested) counted.digests += 1;
    return tools.crypto.run(job);
  };
  return Object.assign(counted, { tools: { ...tools, crypto: { run } } });
};

test('a piece needs one SHA-1 in the life of a process, and none when this process hashed the file', async () => {
  await using item = await SharedItem.make(film());
  const later = countDigests(pieceTools());
  for (let round = 0; round < 3; round += 1) {
    const { store } = item.openShared({ cacheBytes: 0, tools: later.tools });
    for (const index of [0, 1, 1]) await readPiece(store, index);
  }
  const hashing = countDigests(SharedItem.tools);
  const { store } = item.openShared({ cacheBytes: 0, tools: hashing.tools });
  for (const index of [0, 1, 1]) await readPiece(store, index);
  expect([later.digests, hashing.digests]).toEqual([2, 0]);
});

test('a piece that was received needs no second SHA-1 to be served on, and an edit of it is noticed all the same', async () => {
  await using item = await SharedItem.make(film());
  const { store: shared } = item.openShared();
  const receiving = countDigests(pieceTools());
  const { store } = item.openReceiver({ cacheBytes: 0, tools: receiving.tools });
  const pieces = await Promise.all([0, 1].map((index) => readPiece(shared, index)));
  for (const [index, piece] of pieces.entries()) expect(await store.write(index, piece)).toBe(true);
  expect(Buffer.compare(await readPiece(store, 0), pieces[0] ?? new Uint8Array())).toBe(0);
  expect(receiving.digests).toBe(2);
  const path = item.received('film.mp4');
  await edit(path, PIECE + 5, ((await readFile(path))[PIECE + 5] ?? 0) ^ 1);
  await expect(readPiece(store, 1)).rejects.toMatchObject({ code: 'file-changed' });
});

for (const [what, plain] of [
  ['an encrypted', false],
  ['a plain', true],
] as const) {
  test(`an edit of ${what} item that its identity does not show is not served, also when its tags are known`, async () => {
    await using item = await SharedItem.make(film(200_000, plain));
    const path = item.original('film.mp4');
    const { store } = item.openShared({ cacheBytes: 0, tools: SharedItem.tools });
    const second = await readPiece(store, 1);
    await edit(path, 5000, ((await readFile(path))[5000] ?? 0) ^ 1);
    const identity = await readIdentity(path);
    const segments = item.segments.map((segment) => (segment.kind === 'file' ? { ...segment, identity } : segment));
    const { store: deceived } = item.openShared({ cacheBytes: 0, tools: SharedItem.tools, segments });
    expect(Buffer.compare(await readPiece(deceived, 1), second)).toBe(0);
    await expect(readPiece(deceived, 0)).rejects.toMatchObject({ code: 'file-changed' });
  });
}
