import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer, get as httpGet } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { MediaServer } from './media-server.ts';
import type { PlayableItem } from './playable-item.ts';

const PIECE = 256 * 1024;
const MIB = 1024 * 1024;

/** A film that arrives piece by piece, in the order its readers ask for. */
class ArrivingFilm implements PlayableItem {
  readonly type: string | null = 'video/mp4';
  readonly size: number;
  readonly path: string;
  readonly content: Buffer;
  indexRanges: { from: number; to: number }[] = [];
  readonly windows = new Map<string, { from: number; to: number }>();
  readonly log: string[] = [];
  readonly #pieces: Set<number>;
  readonly #waiting = new Set<() => void>();

  constructor(folder: string, size: number, complete: boolean) {
    this.size = size;
    this.path = path.join(folder, 'film.mp4');
    this.content = randomBytes(size);
    this.#pieces = new Set(complete ? Array.from({ length: Math.ceil(size / PIECE) }, (_, index) => index) : []);
    if (complete) writeFileSync(this.path, this.content);
  }

  have(from: number, to: number): boolean {
    return this.#span(from, to).every((piece) => this.#pieces.has(piece));
  }

  async waitFor(from: number, to: number, signal: AbortSignal): Promise<void> {
    while (!this.have(from, to)) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  want(reader: string, from: number, to: number): void {
    this.windows.set(reader, { from, to });
    this.log.push(`want ${reader.includes('index') ? 'index' : 'window'} ${from}-${to}`);
  }

  drop(reader: string): void {
    this.windows.delete(reader);
  }

  /** Downloads the next piece that somebody wants; false when nobody wants anything. */
  async fetchNext(): Promise<boolean> {
    for (const { from, to } of this.windows.values()) {
      const piece = this.#span(from, to).find((candidate) => !this.#pieces.has(candidate));
      if (piece === undefined) continue;
      await this.arrive(piece);
      return true;
    }
    return false;
  }

  async arrive(piece: number): Promise<void> {
    const handle = await open(this.path, 'a').then(async (made) => {
      await made.close();
      return open(this.path, 'r+');
    });
    const part = this.content.subarray(piece * PIECE, (piece + 1) * PIECE);
    await handle.write(part, 0, part.length, piece * PIECE);
    await handle.close();
    this.#pieces.add(piece);
    for (const wake of Array.from(this.#waiting)) wake();
    this.#waiting.clear();
  }

  #span(from: number, to: number): number[] {
    const first = Math.floor(from / PIECE);
    return Array.from({ length: Math.max(0, Math.ceil(to / PIECE) - first) }, (_, index) => first + index);
  }
}

let folder = '';
let server: Server;
let media: MediaServer;
let origin = '';

async function setUp(clock: Clock = systemClock): Promise<void> {
  media = new MediaServer({ clock, random: systemRandom, log: silentLogger });
  server = createServer((request, response) => {
    const segments = (request.url ?? '').slice('/media/'.length).split('/').map(decodeURIComponent);
    void media.handle(segments, request, response).then((found) => {
      if (!found) response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-media-'));
  await setUp();
});
afterEach(async () => {
  media[Symbol.dispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('a complete film is served whole, in parts, and by its last bytes', async () => {
  const film = new ArrivingFilm(folder, 3 * MIB + 123, true);
  const url = origin + media.offer('item/0', 'Ferien – été.mp4', film);
  const whole = await fetch(url);
  expect([whole.status, whole.headers.get('accept-ranges'), whole.headers.get('content-type')]).toEqual([
    200,
    'bytes',
    'video/mp4',
  ]);
  expect(sha(new Uint8Array(await whole.arrayBuffer()))).toBe(sha(film.content));
  expect(whole.headers.get('content-disposition')).toBe(
    "inline; filename*=UTF-8''Ferien%20%E2%80%93%20%C3%A9t%C3%A9.mp4",
  );

  const part = await fetch(url, { headers: { range: 'bytes=1000000-2000000' } });
  expect([part.status, part.headers.get('content-range'), part.headers.get('content-length')]).toEqual([
    206,
    `bytes 1000000-2000000/${film.size}`,
    '1000001',
  ]);
  expect(sha(new Uint8Array(await part.arrayBuffer()))).toBe(sha(film.content.subarray(1_000_000, 2_000_001)));

  const tail = await fetch(url, { headers: { range: 'bytes=-1000' } });
  expect(sha(new Uint8Array(await tail.arrayBuffer()))).toBe(sha(film.content.subarray(-1000)));

  const beyond = await fetch(url, { headers: { range: `bytes=${film.size}-` } });
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${film.size}`]);

  const head = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-1' } });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(film.size)]);
});

test('a range is only honoured for the version the player has seen', async () => {
  const film = new ArrivingFilm(folder, 1000, true);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  const tag = (await fetch(url)).headers.get('etag') ?? '';
  const status = async (ifRange: string) =>
    (await fetch(url, { headers: { range: 'bytes=0-9', 'if-range': ifRange } })).status;
  expect([await status(tag), await status('"other"')]).toEqual([206, 200]);
});

test('a file has one address of 128 random bits, which ends when the account is signed out', async () => {
  const film = new ArrivingFilm(folder, 1000, true);
  const address = media.offer('item/0', 'film.mp4', film);
  expect(address).toMatch(/^\/media\/[0-9a-f]{32}\/film\.mp4$/);
  expect(media.offer('item/0', 'film.mp4', film)).toBe(address);
  expect(media.offer('item/1', 'film.mp4', film)).not.toBe(address);
  for (const other of [`/media/${'0'.repeat(32)}/film.mp4`, '/media/', '/media/x', `${address}/more`]) {
    expect((await fetch(origin + other)).status).toBe(404);
  }
  media.withdrawAll();
  expect((await fetch(origin + address)).status).toBe(404);
});

test('a film that is still arriving is served in the order it is read, and unread parts are not asked for', async () => {
  const film = new ArrivingFilm(folder, 12 * MIB, false);
  film.indexRanges = [{ from: 11 * MIB, to: 12 * MIB }];
  const url = origin + media.offer('item/0', 'film.mp4', film);
  let fetching = true;
  const download = (async () => {
    while (fetching) if (!(await film.fetchNext())) await systemClock.sleep(2);
  })();
  const answer = await fetch(url, { headers: { range: `bytes=0-${4 * MIB - 1}` } });
  expect(sha(new Uint8Array(await answer.arrayBuffer()))).toBe(sha(film.content.subarray(0, 4 * MIB)));
  fetching = false;
  await download;
  expect(film.log.slice(0, 2)).toEqual([`want index ${11 * MIB}-${12 * MIB}`, `want window 0-${4 * MIB}`]);
  expect(film.have(5 * MIB, 6 * MIB)).toBe(false);
  while (film.windows.size > 0) await systemClock.sleep(5);
});

test('the headers arrive before the first byte does', async () => {
  const film = new ArrivingFilm(folder, MIB, false);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  const answer = await fetch(url);
  expect([answer.status, film.windows.size]).toEqual([200, 1]);
  await answer.body?.cancel();
});

test('a seek drops the window of the place that was left', async () => {
  const film = new ArrivingFilm(folder, 100 * MIB, false);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  const leave = new AbortController();
  await fetch(url, { headers: { range: 'bytes=0-' }, signal: leave.signal });
  expect(Array.from(film.windows.values())).toEqual([{ from: 0, to: 32 * MIB }]);
  leave.abort();
  const there = await fetch(url, { headers: { range: `bytes=${60 * MIB}-` } });
  while (film.windows.size > 1) await systemClock.sleep(5);
  expect(Array.from(film.windows.values())).toEqual([{ from: 60 * MIB, to: 92 * MIB }]);
  await there.body?.cancel();
});

test('the window moves on with the reader', async () => {
  const film = new ArrivingFilm(folder, 40 * MIB, true);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  await (await fetch(url)).arrayBuffer();
  const windows = film.log.map((line) => line.replace(/^want window /, ''));
  expect(windows[0]).toBe(`0-${32 * MIB}`);
  expect(windows[1]).toBe(`${4 * MIB}-${36 * MIB}`);
  expect(windows).toHaveLength(10);
});

test('a reader that does not take the bytes does not fill the memory', async () => {
  const film = new ArrivingFilm(folder, 40 * MIB, true);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  const paused = await new Promise<{ destroy(): void }>((resolve) => {
    httpGet(url, (response) => {
      response.pause();
      resolve(response);
    });
  });
  await systemClock.sleep(200);
  const furthest = Math.max(...Array.from(film.windows.values(), ({ from }) => from));
  expect(furthest).toBeLessThan(20 * MIB);
  paused.destroy();
  while (film.windows.size > 0) await systemClock.sleep(5);
});

test('when no byte arrives for five minutes the connection is cut', async () => {
  server.close();
  const clock = new VirtualClock();
  await setUp(clock);
  const film = new ArrivingFilm(folder, MIB, false);
  const answer = await fetch(origin + media.offer('item/0', 'film.mp4', film));
  const reading = answer.arrayBuffer().catch((error: unknown) => error);
  await clock.advance(5 * 60 * 1000 - 1);
  expect(film.windows.size).toBe(1);
  await clock.advance(1);
  expect(await reading).toBeInstanceOf(Error);
  expect(film.windows.size).toBe(0);
});

test('a file that is gone, cut short or replaced by a link yields no foreign byte', async () => {
  const film = new ArrivingFilm(folder, 2 * MIB, true);
  const url = origin + media.offer('item/0', 'film.mp4', film);
  const read = () =>
    fetch(url)
      .then((answer) => answer.arrayBuffer())
      .then((bytes) => bytes.byteLength)
      .catch(() => 'cut');
  writeFileSync(film.path, film.content.subarray(0, MIB));
  expect(await read()).toBe('cut');
  rmSync(film.path);
  expect(await read()).toBe('cut');
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, randomBytes(2 * MIB));
  symlinkSync(secret, film.path);
  expect(await read()).toBe('cut');
});

test('what is no media is offered for saving and can run nothing', async () => {
  const film = new ArrivingFilm(folder, 1000, true);
  const disguised: PlayableItem = Object.assign(Object.create(film) as ArrivingFilm, { type: 'text/html' });
  const answer = await fetch(origin + media.offer('item/0', 'page.html', disguised));
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-disposition': "attachment; filename*=UTF-8''page.html",
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  await answer.body?.cancel();
});

test('names that mean something to paths or headers are made harmless', async () => {
  const film = new ArrivingFilm(folder, 10, true);
  for (const [number, name] of ['..', '../../x', 'a\r\nset-cookie: x', '\u{d800}.mp4', 'a/b\\c', ''].entries()) {
    const address = media.offer(`item/${number}`, name, film);
    expect(address).toMatch(/^\/media\/[0-9a-f]{32}\/[^/]+$/);
    expect((await fetch(origin + address)).status).toBe(200);
  }
});
