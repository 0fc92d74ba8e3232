import { mkdir, mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import type { SphereId } from '../../src/base/id.ts';
import { readIdentity } from '../../src/torrent/file-identity.ts';
import { relay } from './raw-peer.ts';
import { countBits, newEpoch, newSphere, randomFile, receive, sha256, share, SwarmPeer, until } from './swarm-peer.ts';

const MIB = 1024 * 1024;
let folder: string;
let sphere: SphereId;
let epochs: EpochKeys[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-swarm-'));
  sphere = newSphere();
  epochs = [newEpoch()];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function together(...peers: SwarmPeer[]): Promise<void> {
  for (const peer of peers) await peer.joinSphere(sphere, epochs, peers);
}

/** Bytes per second between two moments of a download, as its pieces arrive; the first is one in which some were told. */
async function rate(bytesHave: () => number, ms: number): Promise<number> {
  const known = bytesHave();
  await until('more is told', () => bytesHave() > known);
  const before = bytesHave();
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ((bytesHave() - before) / (performance.now() - start)) * 1000;
}

/** Looks, at most three, until a limit is used up: the machine may stand still in one of them. Shares of the limit. */
async function looks(bytesHave: () => number, ms: number, limit: number): Promise<number[]> {
  const parts: number[] = [];
  while (parts.length < 3 && !parts.some((part) => part > 0.88)) parts.push((await rate(bytesHave, ms)) / limit);
  return parts;
}

test('two members share 64 MiB and both end with the same bytes', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 64 * MIB + 12_345));
  await ben.learn(sphere, anna);
  const path = await receive(ben, sphere, item, folder);
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
  expect(ben.events.some((event) => event.kind === 'have' && event.identities?.length === 1)).toBe(true);
  await until('two full copies part', () => ben.states.get(item.infoHash)?.peers === 0);
});

test('who went on in a new sphere is served by those who have not come along yet, and serves them', async () => {
  await using eva = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await using zoe = await SwarmPeer.start({ address: '127.0.0.3' });
  await together(eva, ben, zoe);
  const next = newSphere();
  await ben.joinSphere(next, [newEpoch()], []);
  const item = await share(eva, sphere, await randomFile(join(folder, 'film.mp4'), MIB), 64 * 1024);
  await ben.learn(sphere, eva);
  const [bens, zoes] = [join(folder, 'ben'), join(folder, 'zoe')];
  await mkdir(bens);
  await mkdir(zoes);
  await receive(ben, next, item, bens, { alsoIn: [sphere] });
  await until('Ben has it from Eva', () => ben.state(item.infoHash) === 'complete');
  await zoe.learn(sphere, ben);
  const path = await receive(zoe, sphere, item, zoes);
  await until('Zoe has it from Ben', () => zoe.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
});

test('download and upload limits hold within ten percent', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2', limits: { up: 0, down: 2 * MIB } });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 80 * MIB), 64 * 1024);
  await ben.learn(sphere, anna);
  await receive(ben, sphere, item, folder);
  const have = (): number => countBits(ben.bitfields.get(item.infoHash)) * item.pieceLength;
  await until('the first pieces are there', () => have() > MIB);
  const down = await looks(have, 5_000, 2 * MIB);
  expect(Math.max(...down)).toBeGreaterThan(0.88);
  expect(Math.max(...down)).toBeLessThan(1.1);
  await anna.client.setLimits({ up: 3 * MIB, down: 0 });
  await ben.client.setLimits({ up: 0, down: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const up = await looks(have, 4_000, 3 * MIB);
  expect(Math.max(...up)).toBeGreaterThan(0.88);
  expect(Math.max(...up)).toBeLessThan(1.1);
});

test('what a reader waits for comes first, and a jump moves it at once', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2', limits: { up: 0, down: 4 * MIB } });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 64 * MIB));
  await ben.learn(sphere, anna);
  await receive(ben, sphere, item, folder);
  const holds = (from: number, to: number): boolean => {
    const bits = ben.bitfields.get(item.infoHash) ?? new Uint8Array(0);
    return Array.from({ length: to - from }, (_, index) => from + index).every(
      (piece) => ((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0,
    );
  };
  const have = (): number => countBits(ben.bitfields.get(item.infoHash));
  await until('the download runs', () => have() > 4);
  let before = have();
  await ben.client.window({ infoHash: item.infoHash, reader: 'player', from: 40 * MIB, to: 44 * MIB });
  await until('the window is there', () => holds(160, 176));
  // What was already asked for comes in between, and nothing else.
  expect(have() - before).toBeLessThan(16 + 32);
  before = have();
  await ben.client.window({ infoHash: item.infoHash, reader: 'player', from: 20 * MIB, to: 22 * MIB });
  await until('the other window is there', () => holds(80, 88));
  expect(have() - before).toBeLessThan(8 + 32);
});

test('without background only windows are fetched, and a pause lets no byte through', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 64 * MIB));
  const wire = await relay('127.0.0.3', anna.endpoint);
  await ben.client.setEndpoints({
    sphereId: sphere,
    device: anna.device.key,
    endpoints: [wire.endpoint],
    trackers: [],
  });
  await receive(ben, sphere, item, folder, { background: false });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(wire.bytes()).toBe(0);
  await ben.client.window({ infoHash: item.infoHash, reader: 'player', from: 8 * MIB, to: 12 * MIB });
  await until('the window is there', () => countBits(ben.bitfields.get(item.infoHash)) === 16);
  await ben.client.setLimits({ up: 0, down: 2 * MIB });
  await ben.client.window({ infoHash: item.infoHash, reader: 'player', from: 12 * MIB, to: 40 * MIB });
  await until('more arrives', () => countBits(ben.bitfields.get(item.infoHash)) > 20);
  await ben.client.pause({ infoHash: item.infoHash });
  // What was on its way by then may still come through.
  let paused: number;
  do {
    paused = wire.bytes();
    await new Promise((resolve) => setTimeout(resolve, 300));
  } while (wire.bytes() !== paused);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(wire.bytes()).toBe(paused);
  expect(ben.state(item.infoHash)).toBe('paused');
  await ben.client.resume({ infoHash: item.infoHash });
  await until('it goes on', () => wire.bytes() > paused + MIB);
  wire.close();
});

test('a receiver killed at half continues and fetches at most 16 MiB twice', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  const killed = await SwarmPeer.start({ address: '127.0.0.2', limits: { up: 0, down: 16 * MIB } });
  await together(anna, killed);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 64 * MIB));
  const wire = await relay('127.0.0.3', anna.endpoint);
  const learn = (peer: SwarmPeer): Promise<unknown> =>
    peer.client.setEndpoints({ sphereId: sphere, device: anna.device.key, endpoints: [wire.endpoint], trackers: [] });
  await learn(killed);
  await receive(killed, sphere, item, folder);
  await until('half is there', () => countBits(killed.bitfields.get(item.infoHash)) >= 128);
  await killed.kill();
  const bitfield = Uint8Array.from(killed.bitfields.get(item.infoHash) ?? []);
  await using ben = await SwarmPeer.start({ address: '127.0.0.2', device: killed.device });
  await together(anna, ben);
  await learn(ben);
  const path = await receive(ben, sphere, item, folder, { bitfield });
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
  expect(wire.bytes() - item.total).toBeLessThan(16 * MIB);
  wire.close();
});

test('a shared file that was only touched is compared and served again by itself', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 2 * MIB));
  await utimes(item.path, 1, 1);
  await ben.learn(sphere, anna);
  const path = await receive(ben, sphere, item, folder);
  await until('the file arrives', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
  // Told a few times a second at most, it may come after the last piece.
  const told = (): unknown => anna.events.findLast((event) => event.kind === 'have');
  await expect.poll(told).toMatchObject({ identities: [await readIdentity(item.path)] });
});

test('a blind copy keeps ciphertext and passes it on to a member who can read it', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using box = await SwarmPeer.start({ address: '127.0.0.2' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.3' });
  await together(anna, box, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 8 * MIB));
  await box.learn(sphere, anna);
  const blind = join(folder, 'blind');
  await box.add({
    sphereId: sphere,
    infoHash: item.infoHash,
    metainfo: item.metainfo,
    mediaKey: null,
    segments: [{ kind: 'file', offset: 0, length: item.total, path: blind, root: folder, identity: null }],
    bitfield: null,
    paused: false,
    background: true,
  });
  await until('the box is complete', () => box.state(item.infoHash) === 'complete');
  expect(await sha256(blind)).not.toBe(await sha256(item.path));
  await ben.learn(sphere, box);
  const path = await receive(ben, sphere, item, folder);
  await until('the member is complete', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
});

test('members who call each other at once end with one connection', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1', limits: { up: MIB, down: 0 } });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 16 * MIB));
  await receive(ben, sphere, item, folder);
  await Promise.all([ben.learn(sphere, anna), anna.learn(sphere, ben)]);
  await until('pieces arrive', () => countBits(ben.bitfields.get(item.infoHash)) > 2);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const peers = () => [ben, anna].map((peer) => peer.states.get(item.infoHash)?.peers);
  await expect.poll(peers).toEqual([1, 1]);
});

test('a metainfo too large for a message is fetched from a member and checked', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 32 * MIB), 16 * 1024);
  await ben.learn(sphere, anna);
  const request = { sphereId: sphere, infoHash: item.infoHash, maxBytes: 2 * MIB };
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', item.metainfo));
  const { metainfo } = await ben.client.fetchMetainfo({ ...request, sha256: digest });
  expect(Buffer.compare(metainfo, item.metainfo)).toBe(0);
  const wrong = ben.client.fetchMetainfo({ ...request, sha256: new Uint8Array(32) });
  await expect(wrong).rejects.toMatchObject({ code: 'not-found' });
});

test('a metainfo is brought by a member whom nobody can call', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 32 * MIB), 16 * 1024);
  const told: string[] = [];
  ben.onFetching = ({ infoHashes, metainfo }) => {
    told.push(`${infoHashes.join(' ')} ${metainfo}`);
    void anna.client.fetching({ sphereId: sphere, device: ben.device.key, infoHashes, metainfo });
  };
  await anna.learn(sphere, ben);
  const nowhere = { endpoints: ['127.0.0.1:1'], trackers: [], webrtc: false };
  await ben.client.setEndpoints({ sphereId: sphere, device: anna.device.key, ...nowhere });
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', item.metainfo));
  const request = { sphereId: sphere, infoHash: item.infoHash, sha256: digest, maxBytes: 2 * MIB };
  const { metainfo } = await ben.client.fetchMetainfo(request);
  expect(Buffer.compare(metainfo, item.metainfo)).toBe(0);
  expect(told).toEqual([`${item.infoHash} true`]);
});

test('a member whom nobody can call asks with one call what is wanted of its many full copies', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await together(anna, ben);
  const path = await randomFile(join(folder, 'picture.jpg'), 10_000);
  const digest = await sha256(path);
  const items = [];
  for (let count = 0; count < 60; count += 1) items.push(await share(anna, sphere, path));
  const wanted = items.toSorted((a, b) => (a.infoHash < b.infoHash ? 1 : -1)).slice(0, 3);
  const copies = await Promise.all(
    wanted.map(async (item) => receive(ben, sphere, item, await mkdtemp(join(folder, 'ben-')))),
  );
  const nowhere = { endpoints: ['127.0.0.1:1'], trackers: [], webrtc: false };
  await ben.client.setEndpoints({ sphereId: sphere, device: anna.device.key, ...nowhere });
  await anna.learn(sphere, ben);
  // One call after the other, each for one of the items, would take minutes.
  await until('all that was wanted is there', () => wanted.every((item) => ben.state(item.infoHash) === 'complete'));
  expect(await Promise.all(copies.map(sha256))).toEqual(copies.map(() => digest));
});

test('members find each other through a tracker alone', async () => {
  // A tracker names the address that it is called from, which is this one for all devices of a computer.
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.1' });
  await using carol = await SwarmPeer.start({ address: '127.0.0.1' });
  await together(anna, ben, carol);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 4 * MIB));
  await receive(carol, sphere, item, folder, { background: false });
  await until('the tracker is told', () => carol.trackers.length > 0);
  for (const peer of [anna, ben]) {
    await peer.client.setEndpoints({
      sphereId: sphere,
      device: carol.device.key,
      endpoints: [],
      trackers: carol.trackers,
    });
  }
  const other = join(folder, 'ben');
  await mkdir(other);
  const path = await receive(ben, sphere, item, other);
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  expect((await stat(path)).size).toBe(item.length);
});

test('a tight limit at either end makes nobody doubt the connection', async () => {
  const file = await randomFile(join(folder, 'slow.bin'), MIB);
  const told = await Promise.all([
    goesSlowly(file, ['127.0.0.1', '127.0.0.2'], { up: 8 * 1024, down: 0 }),
    goesSlowly(file, ['127.0.0.3', '127.0.0.4'], { up: 0, down: 8 * 1024 }),
  ]);
  for (const networks of told) {
    expect(networks.length).toBeGreaterThan(0);
    expect(networks.filter(({ network }) => network.suspect > 0)).toEqual([]);
  }
});

/** One gives to another for a while under a limit of one of the two; what both tell of their network. */
async function goesSlowly(file: string, [giver, taker]: [string, string], { up, down }: { up: number; down: number }) {
  await using anna = await SwarmPeer.start({ address: giver, limits: { up, down: 0 } });
  await using ben = await SwarmPeer.start({ address: taker, limits: { up: 0, down } });
  await together(anna, ben);
  const item = await share(anna, sphere, file);
  await ben.learn(sphere, anna);
  await receive(ben, sphere, item, await mkdtemp(join(folder, 'slow-')));
  await until('they are connected', () => ben.paths.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  return [anna, ben].flatMap((peer) => peer.events.filter((event) => event.kind === 'network'));
}
