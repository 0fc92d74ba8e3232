import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import { parseInfoHash } from '../../src/base/id.ts';
import type { EpochKeys, Segment } from '../../src/contract/swarm.ts';
import { buildMetainfo } from '../../src/torrent/metainfo.ts';
import type { AddedTorrent } from './swarm-peer.ts';
import {
  bytes,
  fullBitfield,
  newEpoch,
  newSphere,
  randomFile,
  receive,
  share,
  SwarmPeer,
  until,
} from './swarm-peer.ts';

const MIB = 1024 * 1024;
const KIB = 1024;
const SMALL_BYTES = 10_000;
const PIECE_BYTES = 256 * KIB;
let folder: string;
let disk: string;
let sphere: SphereId;
let epochs: EpochKeys[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-full-'));
  disk = join(folder, 'disk');
  await mkdir(disk);
  sphere = newSphere();
  epochs = [newEpoch()];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const mount = (...options: string[]): void => void execFileSync('mount', options);

/** A sharer and a receiver that know each other, and a disk of so many bytes. */
async function scene(stack: AsyncDisposableStack, size: number) {
  mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk);
  stack.defer(() => void execFileSync('umount', ['-l', disk]));
  const anna = stack.use(await SwarmPeer.start({ address: '127.0.0.1' }));
  const ben = stack.use(await SwarmPeer.start({ address: '127.0.0.2' }));
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  return { anna, ben };
}

const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

test.skipIf(!mayMount)(
  'a full disk pauses the download, which goes on by itself when there is room (needs root on Linux)',
  async () => {
    await using stack = new AsyncDisposableStack();
    const { anna, ben } = await scene(stack, 80 * MIB);
    const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 24 * MIB));
    await ben.learn(sphere, anna);
    const path = await receive(ben, sphere, item, disk);
    await until('the full disk is noticed', () => ben.state(item.infoHash) === 'disk-full');
    mount('-o', 'remount,size=200m', disk);
    await until('it goes on', () => ben.state(item.infoHash) === 'complete');
    expect(Buffer.compare(await readFile(path), await readFile(item.path))).toBe(0);
  },
);

/** Files of a folder one after the other, as an item has them. */
function place(count: number, root: string, isOurs: boolean): Segment[] {
  return Array.from({ length: count }, (_, index) => {
    const path = join(root, `part ${index % 7}`, `${index}.jpg`);
    const offset = index * SMALL_BYTES;
    return { kind: 'file', offset, length: SMALL_BYTES, path, root: isOurs ? null : root, identity: null };
  });
}

/** Shares many small files, and gives what to add to receive them. */
async function shareSmall(anna: SwarmPeer, count: number): Promise<AddedTorrent> {
  const original = join(folder, 'original');
  for (let part = 0; part < 7; part += 1) await mkdir(join(original, `part ${part}`), { recursive: true });
  const ours = place(count, original, true);
  for (const segment of ours) if (segment.kind === 'file') await randomFile(segment.path, SMALL_BYTES);
  const total = Math.ceil((count * SMALL_BYTES) / PIECE_BYTES) * PIECE_BYTES;
  const mediaKey = bytes(32);
  const plan = { segments: ours, length: total, pieceLength: PIECE_BYTES, mediaKey };
  for await (const step of await anna.client.hash(plan)) {
    if (step.kind === 'progress') continue;
    const { metainfo, infoHash } = buildMetainfo({ length: total, pieceLength: PIECE_BYTES, pieces: step.pieces });
    const spec = { sphereId: sphere, infoHash, metainfo, mediaKey, paused: false, background: true };
    const segments = ours.map((segment, index): Segment => {
      return segment.kind === 'file' ? { ...segment, identity: step.identities[index] ?? null } : segment;
    });
    await anna.add({ ...spec, segments, bitfield: fullBitfield(total / PIECE_BYTES) });
    return { ...spec, segments: place(count, disk, false), bitfield: null };
  }
  throw new Error('hashing ended without a result');
}

test.skipIf(!mayMount)(
  'a disk that is full again and again, of bytes and of names, gets every small file in the end (needs root on Linux)',
  async () => {
    await using stack = new AsyncDisposableStack();
    const { anna, ben } = await scene(stack, 200 * MIB);
    const count = 500;
    const spec = await shareSmall(anna, count);
    const infoHash = parseInfoHash(spec.infoHash);
    // Less comes than there is room for while the disk is made small.
    await ben.client.setLimits({ up: 0, down: 256 * KIB });
    await ben.learn(sphere, anna);
    await ben.add(spec);
    await until('it has begun', () => ben.bytesHave(infoHash) > 0);
    /** Room for so much more. */
    const grow = async (moreBytes: number, moreNames: number): Promise<void> => {
      const { blocks, bfree, bsize, files, ffree } = await statfs(disk);
      const size = (blocks - bfree) * bsize + moreBytes;
      mount('-o', `remount,size=${size},nr_inodes=${files - ffree + moreNames}`, disk);
    };
    let full = 0;
    ben.onEvent = (event) => {
      if (event.kind === 'state' && event.torrent.state === 'disk-full') full += 1;
    };
    await grow(300 * KIB, 1000);
    await until('the full disk is noticed', () => ben.state(infoHash) === 'disk-full');
    await ben.client.setLimits({ up: 0, down: 0 });
    for (const [moreBytes, moreNames] of [
      [MIB, 1000],
      [16 * MIB, 40],
      [16 * MIB, 100],
    ] as const) {
      const before = full;
      await grow(moreBytes, moreNames);
      await until('the disk is full again', () => full > before);
    }
    await grow(64 * MIB, 10_000);
    await until('it goes on', () => ben.state(infoHash) === 'complete', 60_000);
    const different: string[] = [];
    for (const segment of spec.segments) {
      if (segment.kind !== 'file') continue;
      const original = join(folder, 'original', relative(disk, segment.path));
      const [sent, come] = await Promise.all([readFile(original), readFile(segment.path)]);
      if (Buffer.compare(sent, come) !== 0) different.push(segment.path);
    }
    expect(different).toEqual([]);
  },
);
