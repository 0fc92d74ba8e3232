import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { cipherKey, cipherRange } from './cipher.ts';
import { PieceBuffers } from './piece-buffers.ts';
import type { PieceJob } from './piece-crypto.ts';
import { runPieceJob } from './piece-crypto.ts';
import { PieceThreads } from './piece-threads.ts';

const key = cipherKey(new Uint8Array(32).fill(3));
const plainKey = new Uint8Array(32).fill(5);
const buffers = new PieceBuffers();

function job(kind: PieceJob['kind'], bytes: Uint8Array, changes: Partial<PieceJob> = {}): PieceJob {
  const from = buffers.take(bytes.length);
  from.set(bytes);
  return { kind, from, into: buffers.take(bytes.length), key, plainKey, offset: 160, digested: true, ...changes };
}

/** The first job starts the first thread. */
async function started(count: number): Promise<PieceThreads> {
  const threads = new PieceThreads({ threads: count });
  await threads.run(job('lock', randomBytes(1)));
  await expect.poll(() => threads.ready, { timeout: 20_000 }).toBe(1);
  return threads;
}

const digestOf = async (threads: PieceThreads, each: PieceJob) => (await threads.run(each)).digest;
const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

test('threads give the same as one pass over the bytes, and one piece is unlocked as it was locked', async () => {
  await using threads = await started(2);
  const pieces = [1, 16, 70_000, 262_144].map((length) => randomBytes(length));
  for (const plain of pieces) {
    const locking = job('lock', plain);
    const sealed = cipherRange(key, 160, plain);
    expect([await digestOf(threads, locking), Buffer.compare(locking.into, sealed)]).toEqual([sha1(sealed), 0]);
    const unlocking = job('unlock', sealed);
    expect([await digestOf(threads, unlocking), Buffer.compare(unlocking.into, plain)]).toEqual([sha1(sealed), 0]);
    expect(runPieceJob(job('lock', plain, { key: null })).digest).toBe(sha1(plain));
    expect(runPieceJob(job('lock', plain, { digested: false })).digest).toBe('');
  }
});

test('answers belong to their jobs, however many wait', async () => {
  await using threads = await started(2);
  const jobs = Array.from({ length: 30 }, (_, index) => job('lock', randomBytes(index * 1000 + 1)));
  const digests = await Promise.all(jobs.map((each) => digestOf(threads, each)));
  expect(digests).toEqual(jobs.map(({ into }) => sha1(into)));
});

test('without threads the work is done all the same', async () => {
  await using threads = new PieceThreads({
    threads: 1,
    url: new URL('data:text/javascript,throw new Error("no thread")'),
  });
  const [first, second] = [job('lock', randomBytes(1000)), job('lock', randomBytes(1000))];
  expect([await digestOf(threads, first), await digestOf(threads, second)]).toEqual([
    sha1(first.into),
    sha1(second.into),
  ]);
  const third = job('lock', randomBytes(1000));
  expect(await digestOf(threads, third)).toBe(sha1(third.into));
});

test('the first pieces do not wait for a thread that is still starting', async () => {
  const url = new URL('data:text/javascript,await new Promise(() => setInterval(() => 0, 1000))');
  await using threads = new PieceThreads({ threads: 2, url });
  const jobs = Array.from({ length: 3 }, () => job('lock', randomBytes(1000)));
  for (const each of jobs) expect(await digestOf(threads, each)).toBe(sha1(each.into));
  expect(threads.ready).toBe(0);
});

test('a tag is the same for the same piece in any thread, and another for every other piece, key and place', async () => {
  await using threads = await started(2);
  const plain = randomBytes(70_000);
  const other = Uint8Array.from(plain, (byte, index) => (index === 69_999 ? byte ^ 1 : byte));
  const [longer, key2] = [Buffer.concat([plain, Buffer.alloc(1)]), cipherKey(new Uint8Array(32).fill(4))];
  for (const keys of [{}, { key: null }]) {
    const tagOf = async (bytes: Uint8Array, changes: Partial<PieceJob> = {}) =>
      (await threads.run(job('lock', bytes, { ...keys, digested: false, ...changes }))).tag;
    const tag = runPieceJob(job('lock', plain, keys)).tag;
    expect(tag).toMatch(/^[0-9a-f]{32}$/);
    expect([await tagOf(plain), await tagOf(plain)]).toEqual([tag, tag]);
    for (const wrong of [await tagOf(other), await tagOf(longer), await tagOf(plain, { key: key2 })]) {
      expect(wrong).not.toBe(tag);
    }
  }
  expect(runPieceJob(job('lock', plain, { offset: 176 })).tag).not.toBe(runPieceJob(job('lock', plain)).tag);
});

test('the tag with which a piece was unlocked tells whether it is locked again', async () => {
  await using threads = await started(1);
  const sealed = randomBytes(70_000);
  const unlocking = job('unlock', sealed);
  const { tag } = await threads.run(unlocking);
  const lock = (bytes: Uint8Array, unlockTag: string) => job('lock', bytes, { digested: false, unlockTag });
  const again = lock(unlocking.into, tag);
  expect([await threads.run(again), Buffer.compare(again.into, sealed)]).toEqual([{ digest: '', tag }, 0]);
  const other = Uint8Array.from(unlocking.into, (byte, index) => (index === 69_999 ? byte ^ 1 : byte));
  expect(runPieceJob(lock(other, tag)).tag).toBe('');
  expect(
    runPieceJob(
      lock(
        unlocking.into,
        tag.replace(/./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    ).tag,
  ).toBe('');
});
