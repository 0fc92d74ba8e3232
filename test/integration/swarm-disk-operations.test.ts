import { randomBytes } from 'node:crypto';
import type * as fs from 'node:fs';
import { constants } from 'node:fs';
import type * as promises from 'node:fs/promises';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readPiece, SharedItem } from '../fixtures/shared-item.ts';
import { errorCode } from '../../src/base/errors.ts';

/** A disk that is full at the operation of that number, and at the next two. */
const disk = vi.hoisted(() => {
  const state = { isWatched: false, nth: 0, operations: 0, refused: [] as string[] };
  const guard = (what: string): void => {
    if (!state.isWatched) return;
    state.operations += 1;
    if (state.operations < state.nth || state.refused.length === 3) return;
    state.refused.push(what);
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
  return { state, guard };
});

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const guarded = <Args extends unknown[], R>(what: string, job: (...args: Args) => R) => {
    return (...args: Args): R => {
      if (what !== 'openSync' || (Number(args[1]) & real.constants.O_CREAT) !== 0) disk.guard(what);
      return job(...args);
    };
  };
  return {
    ...real,
    mkdirSync: guarded('mkdirSync', real.mkdirSync as (...args: unknown[]) => unknown),
    openSync: guarded('openSync', real.openSync as (...args: unknown[]) => unknown),
    fsync: guarded('fsync', real.fsync as (...args: unknown[]) => unknown),
    ftruncateSync: guarded('ftruncateSync', real.ftruncateSync),
    writeSync: guarded('writeSync', real.writeSync as (...args: unknown[]) => unknown),
  };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  const watched = (handle: promises.FileHandle): promises.FileHandle =>
    new Proxy(handle, {
      get: (_, name) => {
        const member: unknown = Reflect.get(handle, name);
        if (typeof member !== 'function') return member;
        const isWrite = name === 'write' || name === 'truncate' || name === 'sync';
        return async (...args: unknown[]): Promise<unknown> => {
          if (isWrite) disk.guard(name);
          return Reflect.apply(member, handle, args);
        };
      },
    });
  return {
    ...real,
    mkdir: async (...args: Parameters<typeof real.mkdir>) => {
      disk.guard('mkdir');
      return real.mkdir(...args);
    },
    open: async (...args: Parameters<typeof real.open>) => {
      if ((Number(args[1]) & constants.O_CREAT) !== 0) disk.guard('open');
      return watched(await real.open(...args));
    },
  };
});

const never = new AbortController().signal;

/** Does it again for as long as the disk is full; anything else fails. Gives how often it was. */
async function whileFull(work: () => Promise<unknown>): Promise<number> {
  for (let times = 0; ; times += 1) {
    try {
      await work();
      return times;
    } catch (error) {
      if (errorCode(error) !== 'disk-full') throw error;
    }
  }
}

test('a disk that is full at whichever operation loses no byte, of small files and of large ones', async () => {
  const small = Array.from({ length: 12 }, (_, number) => ({
    name: `album/part ${number % 2}/${number}.jpg`,
    content: randomBytes(2000),
  }));
  const files = [...small, { name: 'films/film.mp4', content: randomBytes(20_000) }];
  await using item = await SharedItem.make({ pieceLength: 16 * 1024, padding: 0, manifest: randomBytes(50), files });
  const { store: shared } = item.openShared();
  const pieces = await Promise.all(Array.from({ length: item.pieceCount }, (_, piece) => readPiece(shared, piece)));
  const refused = new Set<string>();
  const wrong: string[] = [];
  let told = 0;
  for (let nth = 1; ; nth += 1) {
    await rm(join(item.folder, 'received'), { recursive: true });
    await mkdir(join(item.folder, 'received'));
    const { store } = item.openReceiver();
    Object.assign(disk.state, { isWatched: true, nth, operations: 0, refused: [] });
    for (const [index, piece] of pieces.entries()) told += await whileFull(() => store.write(index, piece));
    told += await whileFull(async () => {
      for (const bad of await store.badPieces([], never)) await store.write(bad, pieces[bad] as Buffer);
      await store.sync(never);
    });
    disk.state.isWatched = false;
    for (const what of disk.state.refused) refused.add(what);
    for (const { name, content } of files) {
      if (Buffer.compare(await readFile(item.received(name)), content) !== 0) wrong.push(`${name} at operation ${nth}`);
    }
    if (disk.state.refused.length === 0) break;
  }
  expect(wrong).toEqual([]);
  expect([disk.state.operations > 60, told > 30]).toEqual([true, true]);
  expect(Array.from(refused).toSorted()).toEqual([
    'fsync',
    'ftruncateSync',
    'mkdir',
    'mkdirSync',
    'open',
    'openSync',
    'sync',
    'truncate',
    'write',
    'writeSync',
  ]);
});
