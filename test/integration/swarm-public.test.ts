import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePublicMetainfo } from '../../src/torrent/public-metainfo.ts';
import { OpenTracker } from '../fixtures/open-tracker.ts';
import { PublicHome } from '../fixtures/public-home.ts';

const PEER = fileURLToPath(new URL('../fixtures/libtorrent-swarm.py', import.meta.url));
const FILES = { 'one.bin': randomBytes(150_001), 'deep/two.bin': randomBytes(70_000), empty: Buffer.alloc(0) };

let folder = '';
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'swarm-public-')));
  await mkdir(join(folder, 'Album', 'deep'), { recursive: true });
  await mkdir(join(folder, 'received'));
  for (const [name, bytes] of Object.entries(FILES)) await writeFile(join(folder, 'Album', name), bytes);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const torrentFile = (): string => join(folder, 'album.torrent');

/** Runs until the end of the test; resolves with what it says next. */
async function libtorrent(...words: string[]): Promise<() => Promise<string>> {
  const child = spawn('/usr/bin/python3', [PEER, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe('ready');
  return next;
}

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

async function expectReceived(): Promise<void> {
  for (const [name, bytes] of Object.entries(FILES)) {
    if (bytes.length === 0) continue;
    expect(Buffer.compare(await readFile(join(folder, 'received', 'Album', name)), bytes)).toBe(0);
  }
}

test('a hybrid torrent comes from a stranger whom its tracker names, and the tracker hears of the end', async () => {
  await using tracker = await OpenTracker.start();
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'hybrid', tracker.url);
  const bytes = await readFile(torrentFile());
  const metainfo = parsePublicMetainfo(bytes);
  await using home = new PublicHome();
  expect(await home.add(metainfo, bytes, join(folder, 'received'))).toBe('added');
  await expect.poll(() => home.state(metainfo.infoHash), { timeout: 60_000 }).toBe('complete');
  await expectReceived();
  const port = String(home.host.port);
  await home.host.remove(metainfo.infoHash);
  expect(tracker.told.findLast((query) => query.get('port') === port)?.get('event')).toBe('stopped');
  expect(home.host.port).toBe(0);
});

test('a stranger whom a tracker names is called at once, not when it is looked next', async () => {
  await using tracker = await OpenTracker.start();
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'v1', tracker.url);
  await expect.poll(() => tracker.told.length, { timeout: 20_000 }).toBeGreaterThan(0);
  const bytes = await readFile(torrentFile());
  const metainfo = parsePublicMetainfo(bytes);
  await using home = new PublicHome([], () => true, 0);
  await home.add(metainfo, bytes, join(folder, 'received'));
  // The connection itself is over as soon as both have everything.
  await expect.poll(() => home.host.find(metainfo.infoHash)?.bytesHave, { timeout: 20_000 }).toBeGreaterThan(0);
});

test('a stranger fetches from us what its tracker says we have, and nothing else', async () => {
  await using tracker = await OpenTracker.start();
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'v1', tracker.url);
  for (const child of children.splice(0)) child.kill('SIGKILL');
  const bytes = await readFile(torrentFile());
  const metainfo = parsePublicMetainfo(bytes);
  await using home = new PublicHome();
  expect(await home.add(metainfo, bytes, folder, true)).toBe('added');
  // Whoever asked before us would ask again only after a minute.
  const isTold = (): boolean => tracker.told.some((query) => query.get('port') === String(home.host.port));
  await expect.poll(isTold).toBe(true);
  const next = await libtorrent('leech', join(folder, 'received'), torrentFile(), await freeAddress());
  expect(await next()).toBe('done');
  await expectReceived();
  expect(home.host.find(metainfo.infoHash)?.uploaded).toBeGreaterThan(220_000);
  // Whoever asks for anything else hears not a byte.
  const stranger = connect(home.host.port, '127.0.0.1');
  const heard: Buffer[] = [];
  stranger.on('data', (chunk) => heard.push(chunk));
  stranger.write(Buffer.concat([Buffer.from('\u0013BitTorrent protocol'), Buffer.alloc(8), randomBytes(40)]));
  await new Promise((resolve) => stranger.once('close', resolve));
  expect(heard).toEqual([]);
});

test('a torrent of version 2 alone is refused by its own name', async () => {
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'v2');
  const bytes = await readFile(torrentFile());
  expect(() => parsePublicMetainfo(bytes)).toThrow(expect.objectContaining({ code: 'torrent-version-2' }));
});

test('what is shared in a sphere never runs beside strangers, and own networks are not called', async () => {
  await using tracker = await OpenTracker.start();
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'v1', tracker.url);
  const bytes = await readFile(torrentFile());
  const metainfo = parsePublicMetainfo(bytes);
  const before = tracker.told.length;
  await using sphere = new PublicHome([metainfo.infoHash]);
  expect(await sphere.add(metainfo, bytes, join(folder, 'received'))).toBe('conflict');
  expect(sphere.host.port).toBe(0);
  await using careful = new PublicHome([], (address) => !address.startsWith('127.'));
  expect(await careful.add(metainfo, bytes, join(folder, 'received'))).toBe('added');
  for (let tick = 0; tick < 5; tick += 1) careful.host.tick();
  expect(careful.host.find(metainfo.infoHash)?.links).toEqual([]);
  await careful.host.remove(metainfo.infoHash);
  const ours = tracker.told.slice(before).filter((query) => query.get('left') !== '0');
  expect(ours).toEqual([]);
});
