import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeExchange } from '../../src/torrent/peer-exchange.ts';
import type { PublicMetainfo } from '../../src/torrent/public-metainfo.ts';
import { parsePublicMetainfo } from '../../src/torrent/public-metainfo.ts';
import { freePort } from '../fixtures/free-port.ts';
import { PublicHome } from '../fixtures/public-home.ts';

const PEER = fileURLToPath(new URL('../fixtures/libtorrent-finding.py', import.meta.url));
const BYTES = randomBytes(300_001);

let folder = '';
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'swarm-finding-')));
  for (const name of ['Album', 'ours', 'theirs']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'Album', 'one.bin'), BYTES);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const torrentFile = (): string => join(folder, 'album.torrent');
const freeAddress = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

/** Runs until the end of the test; gives its address, and what it says next. */
async function libtorrent(kind: string, ...words: string[]): Promise<() => Promise<string>> {
  const child = spawn('/usr/bin/python3', [PEER, kind, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe('ready');
  return next;
}

async function read(): Promise<{ metainfo: PublicMetainfo; bytes: Uint8Array }> {
  const bytes = await readFile(torrentFile());
  return { metainfo: parsePublicMetainfo(bytes), bytes };
}

async function has(place: string): Promise<boolean> {
  return Buffer.compare(await readFile(join(folder, place, 'Album', 'one.bin')), BYTES) === 0;
}

test('a torrent without trackers comes by the DHT, and strangers find us by what we announce there', async () => {
  const node = await freeAddress();
  await libtorrent('node', node);
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), node);
  const { metainfo, bytes } = await read();
  await using home = new PublicHome();
  home.host.setFinding({ dht: true, pex: false, dhtNodes: [node] });
  expect(await home.add(metainfo, bytes, join(folder, 'ours'))).toBe('added');
  await expect.poll(() => home.state(metainfo.infoHash), { timeout: 60_000 }).toBe('complete');
  expect(await has('ours')).toBe(true);
  expect(home.host.foundBy(metainfo.infoHash)).toMatchObject({ trackers: 0, pex: 0 });
  // The seed leaves; whoever comes now can have it from us alone.
  children[1]?.kill('SIGKILL');
  const next = await libtorrent('leech', join(folder, 'theirs'), torrentFile(), await freeAddress(), node);
  expect(await next()).toBe('done');
  expect(await has('theirs')).toBe(true);
  await home.host.remove(metainfo.infoHash);
  expect(home.host.dhtPort).toBe(0);
});

/** A stranger that says by hand what it likes; `said` ends when the other end hangs up. */
function rawPeer(
  port: number,
  metainfo: PublicMetainfo,
): { tell: (message: Uint8Array) => void; said: Promise<Buffer> } {
  const socket = connect(port, '127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('data', (chunk) => heard.push(chunk));
  socket.on('error', () => undefined);
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0]);
  const hash = Buffer.from(metainfo.infoHash, 'hex');
  socket.write(Buffer.concat([Buffer.from('\u0013BitTorrent protocol'), reserved, hash, randomBytes(20)]));
  const said = new Promise<Buffer>((resolve) => socket.once('close', () => resolve(Buffer.concat(heard))));
  const tell = (message: Uint8Array): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(message.length);
    socket.write(Buffer.concat([length, message]));
  };
  tell(Buffer.from('\u0014\u0000d1:md6:ut_pexi3eee', 'latin1'));
  return { tell, said };
}

const pexOf = (...endpoints: string[]): Uint8Array =>
  Buffer.concat([Buffer.from([20, 1]), encodeExchange({ added: endpoints, dropped: [] })]);

test('a stranger names a third one, who has everything; who names others without end is let go', async () => {
  const seedAt = await freeAddress();
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), seedAt, 'none');
  const { metainfo, bytes } = await read();
  await using home = new PublicHome();
  home.host.setFinding({ dht: false, pex: true, dhtNodes: [] });
  expect(await home.add(metainfo, bytes, join(folder, 'ours'))).toBe('added');
  const peer = rawPeer(home.host.port, metainfo);
  peer.tell(pexOf(seedAt));
  await expect.poll(() => home.state(metainfo.infoHash), { timeout: 20_000 }).toBe('complete');
  expect(await has('ours')).toBe(true);
  expect(home.host.foundBy(metainfo.infoHash)).toEqual({ trackers: 0, dht: 0, pex: 1 });
  for (let count = 0; count < 20; count += 1) peer.tell(pexOf(`127.0.0.1:${1000 + count}`));
  expect((await peer.said).includes('6:ut_pexi1e')).toBe(true);
  expect(home.host.foundBy(metainfo.infoHash)?.pex).toBeLessThan(5);
});

test('two strangers who know nobody but us hear of each other by us, and meet', async () => {
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'none');
  children[0]?.kill('SIGKILL');
  const { metainfo, bytes } = await read();
  await using home = new PublicHome();
  home.host.setFinding({ dht: false, pex: true, dhtNodes: [] });
  await home.add(metainfo, bytes, join(folder, 'ours'));
  const us = `127.0.0.1:${home.host.port}`;
  // None of the three has anything: all stay connected.
  await libtorrent('leech', join(folder, 'theirs'), torrentFile(), await freeAddress(), `pex=${us}`);
  const other = await libtorrent('watch', join(folder, 'theirs'), torrentFile(), await freeAddress(), `pex=${us}`);
  const met = (await other()).split(' ');
  expect(met).toContain(us);
  expect(new Set(met).size).toBe(2);
});

test('with peer exchange off, and for private torrents, no connection offers it', async () => {
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'none');
  const { metainfo, bytes } = await read();
  await using home = new PublicHome();
  home.host.setFinding({ dht: true, pex: false, dhtNodes: [] });
  await home.add(metainfo, bytes, join(folder, 'ours'));
  const peer = rawPeer(home.host.port, metainfo);
  peer.tell(pexOf(await freeAddress()));
  await expect.poll(() => home.host.find(metainfo.infoHash)?.links.length).toBe(1);
  expect(home.host.foundBy(metainfo.infoHash)?.pex).toBe(0);
  await home.host.remove(metainfo.infoHash);
  const said = await peer.said;
  expect(said.includes('4:reqq')).toBe(true);
  expect(said.includes('ut_pex')).toBe(false);
});

test('with everything off, and for private torrents and those of spheres with everything on, not a datagram goes to the DHT', async () => {
  const heard: Buffer[] = [];
  const node = createSocket('udp4');
  node.on('message', (datagram) => heard.push(datagram));
  await new Promise<void>((resolve) => node.bind(0, '127.0.0.1', resolve));
  const dhtNodes = [`127.0.0.1:${node.address().port}`];
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'none', 'private');
  const { metainfo, bytes } = await read();
  expect(metainfo.isPrivate).toBe(true);
  await using home = new PublicHome();
  home.host.setFinding({ dht: true, pex: true, dhtNodes });
  expect(await home.add(metainfo, bytes, join(folder, 'ours'))).toBe('added');
  home.host.tick();
  expect(home.host.dhtPort).toBe(0);
  await libtorrent('seed', join(folder, 'Album'), torrentFile(), await freeAddress(), 'none');
  const open = await read();
  // What a sphere shares is not even known here.
  await using ofSphere = new PublicHome([open.metainfo.infoHash]);
  ofSphere.host.setFinding({ dht: true, pex: true, dhtNodes });
  expect(await ofSphere.add(open.metainfo, open.bytes, join(folder, 'ours'))).toBe('conflict');
  ofSphere.host.tick();
  expect(ofSphere.host.dhtPort).toBe(0);
  home.host.setFinding({ dht: false, pex: false, dhtNodes });
  expect(await home.add(open.metainfo, open.bytes, join(folder, 'ours'))).toBe('added');
  home.host.tick();
  expect(heard).toEqual([]);
  // The same with the switch on, so that the silence before means something; it holds at once.
  home.host.setFinding({ dht: true, pex: false, dhtNodes });
  await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThan(0);
  const all = Buffer.concat(heard);
  expect(all.includes(Buffer.from(open.metainfo.infoHash, 'hex'))).toBe(true);
  expect(all.includes(Buffer.from(metainfo.infoHash, 'hex'))).toBe(false);
  node.close();
});
