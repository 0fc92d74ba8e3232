import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { appendFile, copyFile, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../test/fixtures/protocol/people.ts';
import vector from '../../test/fixtures/protocol/torrent.json' with { type: 'json' };
import { fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/system-clock.ts';
import type { FileSegment } from './byte-space.ts';
import { readIdentity } from './file-identity.ts';
import type { HashRequest } from './hash-request.ts';
import { Hasher } from './hasher.ts';
import { buildMetainfo } from './metainfo.ts';
import { PieceTags } from '../torrent/piece-tags.ts';
import { systemRandom } from '../base/random.ts';

const PIECE = 16 * 1024;
const never = new AbortController().signal;
const ignore = (): void => undefined;
let folder: string;
let hasher: Hasher;
/** Called when the files of an item were looked at and their bytes begin to be read. */
let onReading: () => void = ignore;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hasher-'));
  const sleep: Clock['sleep'] = (ms, signal) => {
    onReading();
    return systemClock.sleep(ms, signal);
  };
  hasher = new Hasher({ clock: { ...systemClock, sleep }, tags: new PieceTags(systemRandom) });
});
afterAll(async () => {
  await hasher[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

let counter = 0;
async function makeFile(content: Uint8Array): Promise<string> {
  counter += 1;
  const path = join(folder, `file-${counter}`);
  await writeFile(path, content);
  return path;
}

function whole(path: string, length: number): FileSegment {
  return { kind: 'file', offset: 0, length, path, root: null, identity: null };
}

function digests(bytes: Uint8Array, pieceLength: number): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += pieceLength) {
    text += createHash('sha1')
      .update(bytes.subarray(at, at + pieceLength))
      .digest('hex');
  }
  return text;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('files, inline bytes, gaps and padding are encrypted and hashed as one byte space', async () => {
  const [first, second, manifest] = [randomBytes(300_001), randomBytes(77), randomBytes(1000)];
  const length = 31 * PIECE + 5;
  const plain = Buffer.alloc(length);
  first.copy(plain, 0);
  second.copy(plain, 300_016);
  manifest.copy(plain, 400_000);
  const mediaKey = randomBytes(32);
  const key = Buffer.from(hkdfSync('sha256', mediaKey, '', 'spherecast-ctr-v1', 32));
  const expected = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(plain);
  const request: HashRequest = {
    segments: [
      whole(await makeFile(first), first.length),
      { ...whole(await makeFile(second), second.length), offset: 300_016 },
      { ...whole(await makeFile(new Uint8Array()), 0), offset: 300_112 },
      { kind: 'bytes', offset: 400_000, bytes: manifest },
    ],
    length,
    pieceLength: PIECE,
    mediaKey,
  };
  const result = await hasher.hash(request, ignore, never);
  expect(hex(result.pieces)).toBe(digests(expected, PIECE));
  expect(result.identities.map(({ size }) => size)).toEqual([300_001, 77, 0]);
});

test('files on disk become the torrent of the test vector, byte for byte', async () => {
  const { files, manifest, layout } = vector;
  const segments: FileSegment[] = [];
  for (const [index, { seed, length }] of files.entries()) {
    const file = whole(await makeFile(seededRandom(seed)(length)), length);
    segments.push({ ...file, offset: layout.files[index]?.offset ?? -1 });
  }
  const bytes = seededRandom(manifest.seed)(manifest.length);
  const request: HashRequest = {
    segments: [...segments, { kind: 'bytes', offset: layout.manifest.offset, bytes }],
    length: layout.totalLength,
    pieceLength: layout.pieceLength,
    mediaKey: fromHex(vector.mediaKey) ?? new Uint8Array(),
  };
  const { pieces } = await hasher.hash(request, ignore, never);
  const { metainfo, infoHash } = buildMetainfo({ ...request, pieces });
  expect(toHex(metainfo)).toBe(vector.metainfo);
  expect(infoHash).toBe(vector.infoHash);
});

test('a large file is split over the workers with the same result, and progress comes at most four times a second', async () => {
  const bytes = randomBytes(200 * 1024 * 1024 + 3);
  const path = await makeFile(bytes);
  const mediaKey = randomBytes(32);
  const key = Buffer.from(hkdfSync('sha256', mediaKey, '', 'spherecast-ctr-v1', 32));
  const told: { done: number; at: number }[] = [];
  const result = await hasher.hash(
    { segments: [whole(path, bytes.length)], length: bytes.length, pieceLength: 1 << 20, mediaKey },
    ({ bytesDone }) => told.push({ done: bytesDone, at: performance.now() }),
    never,
  );
  const expected = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(bytes);
  expect(hex(result.pieces)).toBe(digests(expected, 1 << 20));
  for (const [index, { done, at }] of told.entries()) {
    expect(done).toBeLessThanOrEqual(bytes.length);
    expect(done).toBeGreaterThanOrEqual(told[index - 1]?.done ?? 0);
    expect(at - (told[index - 1]?.at ?? 0)).toBeGreaterThan(200);
  }
});

test('a run that ended half-way is continued behind the pieces it told, with the same result', async () => {
  const bytes = randomBytes(160 * 1024 * 1024 + 3);
  const path = await makeFile(bytes);
  const identity = await readIdentity(path);
  const segments = [{ ...whole(path, bytes.length), identity }];
  const request: HashRequest = { segments, length: bytes.length, pieceLength: 1 << 20, mediaKey: randomBytes(32) };
  const told: Uint8Array[] = [];
  const stop = new AbortController();
  const first = hasher.hash(
    request,
    ({ pieces }) => {
      told.push(pieces);
      if (pieces.length > 0) stop.abort(new Error('the program ends'));
    },
    stop.signal,
  );
  const whole1 = await first.then(
    ({ pieces }) => pieces,
    () => null,
  );
  const known = whole1?.subarray(0, 5 * 20) ?? new Uint8Array(Buffer.concat(told));
  expect(known.length).toBeGreaterThan(0);
  const done: number[] = [];
  const rest = await hasher.hash({ ...request, known }, ({ bytesDone }) => done.push(bytesDone), never);
  const fresh = await hasher.hash(request, ignore, never);
  expect(hex(rest.pieces)).toBe(hex(fresh.pieces));
  for (const bytesDone of done) expect(bytesDone).toBeGreaterThan((known.length / 20 - 1) * (1 << 20));
  const all = await hasher.hash({ ...request, known: fresh.pieces }, ignore, never);
  expect(hex(all.pieces)).toBe(hex(fresh.pieces));
  await writeFile(path, randomBytes(10));
  await expect(hasher.hash({ ...request, known }, ignore, never)).rejects.toMatchObject({ code: 'file-changed' });
});

test('digests that cannot be of the item are refused', async () => {
  const path = await makeFile(randomBytes(100));
  const request: HashRequest = { segments: [whole(path, 100)], length: 100, pieceLength: PIECE, mediaKey: null };
  for (const bytes of [19, 40]) {
    const hashing = hasher.hash({ ...request, known: new Uint8Array(bytes) }, ignore, never);
    await expect(hashing).rejects.toMatchObject({ code: 'bad-input' });
  }
});

test('two items are hashed in turns: the small one does not wait for the large one', async () => {
  const large = await makeFile(Buffer.alloc(256 * 1024 * 1024));
  const small = await makeFile(randomBytes(1000));
  const order: string[] = [];
  const request = (path: string, length: number): HashRequest => ({
    segments: [whole(path, length)],
    length,
    pieceLength: 1 << 20,
    mediaKey: null,
  });
  await Promise.all([
    hasher.hash(request(large, 256 * 1024 * 1024), ignore, never).then(() => order.push('large')),
    hasher.hash(request(small, 1000), ignore, never).then(() => order.push('small')),
  ]);
  expect(order).toEqual(['small', 'large']);
});

test('cancelling ends the hashing within 200 ms and the pool goes on with the next item', async () => {
  const path = await makeFile(new Uint8Array());
  const length = 64 * 2 ** 30;
  await truncate(path, length);
  const took: number[] = [];
  // The best of three: on a busy machine one end may be late for other reasons.
  for (let times = 0; times < 3; times += 1) {
    const abort = new AbortController();
    const hashing = hasher.hash(
      { segments: [whole(path, length)], length, pieceLength: 1 << 20, mediaKey: randomBytes(32) },
      ignore,
      abort.signal,
    );
    await systemClock.sleep(300);
    const start = performance.now();
    abort.abort();
    await expect(hashing).rejects.toMatchObject({ name: 'AbortError' });
    took.push(performance.now() - start);
  }
  expect(Math.min(...took)).toBeLessThan(200);
  const bytes = randomBytes(100);
  const { pieces } = await hasher.hash(
    { segments: [whole(await makeFile(bytes), 100)], length: 100, pieceLength: PIECE, mediaKey: null },
    ignore,
    never,
  );
  expect(hex(pieces)).toBe(digests(bytes, PIECE));
});

const LARGE = 400 * 1024 * 1024;
const touches: [string, (path: string) => Promise<void>][] = [
  ['appended to', (path) => appendFile(path, 'x')],
  ['cut', (path) => truncate(path, 1000)],
  ['given another time', (path) => utimes(path, 1, 1)],
  ['replaced by its twin', (path) => rename(`${path}-twin`, path)],
  ['deleted and written again', (path) => rm(path).then(() => copyFile(`${path}-twin`, path))],
];
for (const [what, touch] of touches) {
  test(`a file that is ${what} while it is hashed gives no result`, async () => {
    const path = await makeFile(new Uint8Array());
    await truncate(path, LARGE);
    await writeFile(`${path}-twin`, '');
    await truncate(`${path}-twin`, LARGE);
    const reading = Promise.withResolvers<void>();
    onReading = reading.resolve;
    const hashing = hasher.hash(
      { segments: [whole(path, LARGE)], length: LARGE, pieceLength: 1 << 20, mediaKey: randomBytes(32) },
      ignore,
      never,
    );
    const touching = reading.promise.then(() => touch(path));
    await expect(hashing).rejects.toMatchObject({ code: expect.stringMatching(/^file-(changed|missing)$/) });
    await touching;
  });
}

test('a file that is not what its segment says is refused before a byte is read', async () => {
  const path = await makeFile(randomBytes(100));
  const identity = await readIdentity(path);
  await utimes(path, 5, 5);
  const request = { length: 100, pieceLength: PIECE, mediaKey: null };
  const stale = hasher.hash({ ...request, segments: [{ ...whole(path, 100), identity }] }, ignore, never);
  await expect(stale).rejects.toMatchObject({ code: 'file-changed' });
  const shorter = hasher.hash({ ...request, segments: [whole(path, 99)] }, ignore, never);
  await expect(shorter).rejects.toMatchObject({ code: 'file-changed' });
});

test('a missing file, a folder and a link are reported as missing', async () => {
  const target = await makeFile(randomBytes(10));
  const link = `${target}-link`;
  await symlink(target, link);
  for (const path of [join(folder, 'nowhere'), folder, link]) {
    const hashing = hasher.hash(
      { segments: [whole(path, 10)], length: 10, pieceLength: PIECE, mediaKey: null },
      ignore,
      never,
    );
    await expect(hashing).rejects.toMatchObject({ code: 'file-missing' });
  }
});

test('impossible sizes are refused', async () => {
  const path = await makeFile(randomBytes(10));
  for (const [length, pieceLength] of [
    [0, PIECE],
    [10, 0],
    [10, PIECE + 1],
    [1e15, PIECE],
  ] as const) {
    const hashing = hasher.hash({ segments: [whole(path, 10)], length, pieceLength, mediaKey: null }, ignore, never);
    await expect(hashing).rejects.toMatchObject({ code: 'invalid-torrent' });
  }
});

test('closing the hasher ends what is under way and takes nothing new', async () => {
  const other = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom), workers: 1 });
  const path = await makeFile(new Uint8Array());
  await truncate(path, 2 ** 33);
  const request: HashRequest = {
    segments: [whole(path, 2 ** 33)],
    length: 2 ** 33,
    pieceLength: 1 << 20,
    mediaKey: null,
  };
  const hashing = other.hash(request, ignore, never);
  const closing = systemClock.sleep(50).then(() => other[Symbol.asyncDispose]());
  await expect(hashing).rejects.toMatchObject({ code: 'cancelled' });
  await closing;
  await expect(other.hash(request, ignore, never)).rejects.toMatchObject({ code: 'cancelled' });
});
