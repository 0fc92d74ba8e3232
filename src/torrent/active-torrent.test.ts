import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Miser } from '../../test/fixtures/miser.ts';
import { RawWire } from '../../test/fixtures/raw-wire.ts';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { fastClock, join, TorrentEnd, whole } from '../../test/fixtures/torrent-end.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey } from '../base/id.ts';
import { systemClock } from '../base/system-clock.ts';
import { FilePool } from './file-pool.ts';
import { isServed } from './is-served.ts';

const PIECE = 16 * 1024;
const [UNCHOKE, INTERESTED, REQUEST, HAVE_ALL, HAVE_NONE] = [1, 2, 6, 14, 15] as const;
const ben = parseDeviceKey('b'.repeat(64));

/** Files on a disk that takes only a part of the write of that number, and nothing more until there is room. */
class FullDisk extends FilePool {
  full = 0;
  #writes = 0;
  readonly #nth: number;

  constructor(nth: number) {
    super();
    this.#nth = nth;
  }

  override use<T>(key: string, open: () => Promise<FileHandle>, job: (handle: FileHandle) => Promise<T>): Promise<T> {
    return super.use(key, open, (handle) => job(new Proxy(handle, { get: (_, name) => this.#member(handle, name) })));
  }

  #member(handle: FileHandle, name: string | symbol): unknown {
    if (name === 'write') return (...args: [Uint8Array, number, number, number]) => this.#write(handle, ...args);
    const member: unknown = Reflect.get(handle, name);
    return typeof member === 'function' ? member.bind(handle) : member;
  }

  async #write(handle: FileHandle, bytes: Uint8Array, at: number, length: number, position: number) {
    this.#writes += 1;
    // The one write that does not fit is tried again twice in vain.
    if (this.#writes > this.#nth && this.full < 3) {
      this.full += 1;
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
    const part = this.#writes === this.#nth ? Math.ceil(length / 2) : length;
    return handle.write(bytes, at, part, position);
  }
}

test('of an item of which one file is wanted, that file comes with two pieces more at most, and is served', async () => {
  const files = ['a', 'b', 'c'].map((name) => ({ name: `${name}.jpg`, content: randomBytes(100_000) }));
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  await using sharer = await TorrentEnd.start(item, systemClock, whole(item));
  const middle = item.segments[1];
  const from = middle?.offset ?? 0;
  await using receiver = await TorrentEnd.start(item, systemClock, { wanted: [{ from, to: from + 100_000 }] });
  await join(sharer.torrent, receiver.torrent);
  const { torrent } = receiver;
  await expect.poll(() => torrent.state.state, { timeout: 20_000 }).toBe('partial');
  expect(Buffer.compare(await readFile(item.received('b.jpg')), files[1]?.content ?? Buffer.of())).toBe(0);
  expect(torrent.bytesHave).toBeLessThanOrEqual(100_000 + 2 * PIECE);
  expect([torrent.serves, torrent.appetite, torrent.idle]).toEqual([true, 'none', null]);
});

/** Counts how often a file is used. */
class CountingPool extends FilePool {
  uses = 0;

  override use<T>(key: string, open: () => Promise<FileHandle>, job: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.uses += 1;
    return super.use(key, open, job);
  }
}

test('files that are touched all at once are compared a few times, not once for each of them', async () => {
  const files = Array.from({ length: 1000 }, (_, index) => ({ name: `${index}.jpg`, content: randomBytes(2000) }));
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  await Promise.all(files.map(({ name }) => utimes(item.original(name), 1, 1)));
  const pool = new CountingPool();
  await using sharer = await TorrentEnd.start(item, fastClock, whole(item), pool);
  await expect.poll(() => sharer.torrent.state.state, { timeout: 20_000 }).toBe('complete');
  expect(sharer.torrent.identities).toHaveLength(1000);
  expect(pool.uses).toBeLessThan(5 * files.length);
});

/** Something happens while a file is read. */
class BusyPool extends FilePool {
  meanwhile: (() => void) | null = null;

  override use<T>(key: string, open: () => Promise<FileHandle>, job: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.meanwhile?.();
    this.meanwhile = null;
    return super.use(key, open, job);
  }
}

test('what happens while a file that was edited is compared again is told, and then nothing as long as it stays so', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(50_000) }];
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  await writeFile(item.original('film.mp4'), randomBytes(50_000));
  const pool = new BusyPool();
  await using sharer = await TorrentEnd.start(item, fastClock, whole(item), pool);
  await expect.poll(() => sharer.states.at(-1), { timeout: 20_000 }).toBe('changed');
  const told = sharer.changes;
  pool.meanwhile = () => sharer.torrent.setPaused(true);
  await utimes(item.original('film.mp4'), 1, 1);
  await expect.poll(() => pool.meanwhile, { timeout: 20_000 }).toBeNull();
  await expect.poll(() => sharer.changes).toBe(told + 1);
  await fastClock.sleep(30_000);
  expect([sharer.changes, sharer.torrent.state.state]).toEqual([told + 1, 'changed']);
});

test('a full copy is given up for an idle one when nobody was connected for ten seconds', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(200_000) }];
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  const clock = new VirtualClock(0);
  await using sharer = await TorrentEnd.start(item, clock, whole(item));
  const { torrent } = sharer;
  expect(torrent.state).toMatchObject({ state: 'complete', bytesHave: item.shape.length, peers: 0 });
  expect([torrent.serves, torrent.appetite]).toEqual([true, 'lazy']);

  await using receiver = await TorrentEnd.start(item, systemClock);
  await join(torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state, { timeout: 20_000 }).toBe('complete');
  expect(await readFile(item.received('film.mp4'))).toEqual(files[0]?.content);
  expect(torrent.idle).toBeNull();
  await clock.advance(60_000);
  await expect.poll(() => torrent.links.length, { timeout: 20_000 }).toBe(0);

  await clock.advance(5_000);
  torrent.tick();
  expect(torrent.idle).toBeNull();
  await clock.advance(10_000);
  torrent.tick();
  expect(torrent.idle).toMatchObject({ bitfield: torrent.bitfield, segments: item.segments, paused: false });
});

test('a disk that is full at any write lets the item wait and go on, with every byte of it right', async () => {
  const files = ['a', 'b'].map((name) => ({ name: `${name}.jpg`, content: randomBytes(100_000) }));
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  for (const nth of [1, 2, 7, 13]) {
    for (const name of ['a.jpg', 'b.jpg']) await rm(item.received(name), { force: true });
    await using disk = new FullDisk(nth);
    await using sharer = await TorrentEnd.start(item, systemClock, whole(item));
    await using receiver = await TorrentEnd.start(item, fastClock, {}, disk);
    await join(sharer.torrent, receiver.torrent);
    await expect.poll(() => receiver.torrent.state.state, { timeout: 20_000 }).toBe('complete');
    expect([disk.full, new Set(receiver.states)]).toEqual([3, new Set(['downloading', 'disk-full', 'complete'])]);
    expect(receiver.torrent.state.error).toBeNull();
    for (const { name, content } of files) expect(await readFile(item.received(name))).toEqual(content);
  }
});

test('a disk that is full only when everything is put on it for good is told as full, and waited out', async () => {
  class FullAtTheEnd extends FilePool {
    tries = 0;
    override use<T>(key: string, open: () => Promise<FileHandle>, job: (handle: FileHandle) => Promise<T>): Promise<T> {
      return super.use(key, open, (handle) => {
        const sync = handle.sync.bind(handle);
        return job(Object.assign(handle, { sync: () => this.#sync(sync) }));
      });
    }
    #sync(sync: () => Promise<void>): Promise<void> {
      this.tries += 1;
      return this.tries > 2 ? sync() : Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    }
  }
  const files = [{ name: 'film.mp4', content: randomBytes(100_000) }];
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  await using disk = new FullAtTheEnd();
  await using sharer = await TorrentEnd.start(item, systemClock, whole(item));
  await using receiver = await TorrentEnd.start(item, fastClock, {}, disk);
  await join(sharer.torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state, { timeout: 20_000 }).toBe('complete');
  expect(receiver.states).toEqual(['downloading', 'disk-full', 'downloading', 'disk-full', 'downloading', 'complete']);
});

test('a full copy that gives hardly anything while something is wanted counts as none, until it gives', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(3_000_000) }];
  await using item = await SharedItem.make({ pieceLength: 64 * PIECE, padding: 0, manifest: randomBytes(50), files });
  await using receiver = await TorrentEnd.start(item, systemClock);
  const { torrent } = receiver;
  const miser = new Miser(item);
  await join(miser, torrent);
  await expect.poll(() => torrent.state.seeds, { timeout: 20_000 }).toBe(1);
  const waits = (ticks: number): void => {
    for (let tick = 0; tick < ticks; tick += 1) torrent.tick();
  };
  waits(19);
  expect(isServed(torrent)).toBe(true);
  const told = receiver.changes;
  waits(1);
  expect([isServed(torrent), receiver.changes]).toEqual([false, told + 1]);
  // While it is not asked for anything nobody blames it.
  torrent.setYields(true);
  waits(20);
  expect(isServed(torrent)).toBe(true);
  torrent.setYields(false);
  waits(20);
  expect(isServed(torrent)).toBe(false);
  const gives = async (blocks: number): Promise<void> => {
    const got = (): number => torrent.links.reduce((sum, { moved }) => sum + moved.down, 0);
    const had = got();
    miser.give(blocks);
    await expect.poll(got, { timeout: 20_000 }).toBe(had + blocks * PIECE);
  };
  await gives(1);
  waits(19);
  await gives(1);
  waits(19);
  expect(isServed(torrent)).toBe(false);
  await gives(20);
  waits(1);
  expect(isServed(torrent)).toBe(true);
});

test('a member that gives nothing does not count as a full copy again by connecting anew', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(3_000_000) }];
  await using item = await SharedItem.make({ pieceLength: 64 * PIECE, padding: 0, manifest: randomBytes(50), files });
  await using receiver = await TorrentEnd.start(item, systemClock);
  const { torrent } = receiver;
  // Each link is far too short to be judged by itself.
  for (let link = 0; link < 6; link += 1) {
    await join(new Miser(item), torrent);
    await expect.poll(() => torrent.state.seeds, { timeout: 20_000 }).toBe(1);
    expect(isServed(torrent)).toBe(link < 5);
    for (let tick = 0; tick < 4; tick += 1) torrent.tick();
    torrent.disconnect(() => true);
    await expect.poll(() => torrent.links.length, { timeout: 20_000 }).toBe(0);
  }
});

test('a connection that breaks soon is missed when it was in use, and not when nothing was owed', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(3_000_000) }];
  await using item = await SharedItem.make({ pieceLength: 64 * PIECE, padding: 0, manifest: randomBytes(50), files });
  const clock = new VirtualClock(0);
  await using receiver = await TorrentEnd.start(item, clock);
  const { torrent } = receiver;
  const breaks = async (blocks: number | null): Promise<number> => {
    const miser = new Miser(item);
    await join(miser, torrent);
    await expect.poll(() => torrent.state.seeds, { timeout: 20_000 }).toBe(1);
    if (blocks !== null) miser.give(blocks);
    await expect.poll(() => miser.owed > 0, { timeout: 20_000 }).toBe(blocks !== null);
    await clock.advance(5_000);
    miser.breakOff();
    await expect.poll(() => torrent.links.length, { timeout: 20_000 }).toBe(0);
    return receiver.lost;
  };
  expect(await breaks(null)).toBe(0);
  expect(await breaks(1)).toBe(1);
});

const words = (...values: number[]): number[] =>
  values.flatMap((value) => [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 0xff));

test('a member that falls silent after its last word is doubted, wherever the blocks are that it asked for', async () => {
  const files = [{ name: 'film.mp4', content: randomBytes(3_000_000) }];
  await using item = await SharedItem.make({ pieceLength: 64 * PIECE, padding: 0, manifest: randomBytes(50), files });
  await using sharer = await TorrentEnd.start(item, new VirtualClock(0), whole(item));
  const { torrent } = sharer;
  for (const blocks of [1, 32]) {
    const [ours, theirs] = duplexPair();
    const wire = new RawWire(theirs, item, ([id]) => {
      if (id === HAVE_ALL) for (const answer of [HAVE_NONE, INTERESTED]) wire.say(answer);
      if (id !== UNCHOKE) return;
      for (let block = 0; block < blocks; block += 1) wire.say(REQUEST, ...words(0, block * PIECE, PIECE));
      wire.fallDeaf();
    });
    torrent.connect(ours, { device: ben, route: { path: 'tcp', address: '192.0.2.9:1' }, weDialled: false });
    await expect.poll(() => torrent.links[0]?.moved.up, { timeout: 20_000 }).toBe(blocks * PIECE);
    torrent.tick();
    // Said before any of the blocks has come.
    wire.say();
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let tick = 0; tick < 6; tick += 1) torrent.tick();
    expect(torrent.links.map(({ isSuspect }) => isSuspect)).toEqual([true]);
    wire.breakOff();
    await expect.poll(() => torrent.links.length, { timeout: 20_000 }).toBe(0);
  }
});

test('what the last slow member is late with is asked of a fast one that has nothing left to do, once', async () => {
  // Every piece has four blocks, whichever the miser is asked for.
  const pieceLength = 4 * PIECE;
  const content = randomBytes(45 * pieceLength);
  const files = [{ name: 'film.mp4', content }];
  await using item = await SharedItem.make({ pieceLength, padding: 0, manifest: randomBytes(pieceLength), files });
  const clock = new VirtualClock(0);
  await using receiver = await TorrentEnd.start(item, clock);
  await using sharer = await TorrentEnd.start(item, systemClock, whole(item));
  const { torrent } = receiver;
  const miser = new Miser(item);
  await join(miser, torrent);
  await expect.poll(() => torrent.state.seeds, { timeout: 20_000 }).toBe(1);
  miser.give(0);
  await expect.poll(() => miser.owed, { timeout: 20_000 }).toBe(4);
  await join(sharer.torrent, torrent);
  await expect.poll(() => torrent.bytesHave, { timeout: 20_000 }).toBe(item.shape.length - pieceLength);
  const ticks = async (seconds: number): Promise<void> => {
    for (let tick = 0; tick < seconds; tick += 1) {
      await clock.advance(1_000);
      torrent.tick();
    }
  };
  await ticks(1);
  expect(torrent.state.state).toBe('downloading');
  await ticks(3);
  await expect.poll(() => torrent.state.state, { timeout: 20_000 }).toBe('complete');
  expect(await readFile(item.received('film.mp4'))).toEqual(content);
  expect(sharer.torrent.uploaded).toBeLessThan(item.shape.length + PIECE);
});
