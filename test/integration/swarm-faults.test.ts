import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import type { TestItem } from './swarm-peer.ts';
import {
  countBits,
  newEpoch,
  newSphere,
  randomFile,
  receive,
  sha256,
  share,
  SwarmPeer,
  TestDevice,
  until,
} from './swarm-peer.ts';

const MIB = 1024 * 1024;
const isLong = process.env['SPHERECAST_LONG'] === '1';
const KILLS = isLong ? 200 : 40;
/** Processes that start take their time on a busy machine. */
const SLOW_MS = 600_000;
let folder: string;
let sphere: SphereId;
let epochs: EpochKeys[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-faults-'));
  sphere = newSphere();
  epochs = [newEpoch()];
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function together(...peers: SwarmPeer[]): Promise<void> {
  for (const peer of peers) await peer.joinSphere(sphere, epochs, peers);
}

/** Kills a receiver at random moments until its download is whole; the pieces it had told each time. */
async function receiveUnderKills(anna: SwarmPeer, item: TestItem, target: string, kills: number): Promise<number[]> {
  const device = new TestDevice();
  const told: number[] = [];
  let bitfield: Uint8Array<ArrayBuffer> | null = null;
  for (let kill = 0; ; kill += 1) {
    const limits = { up: 0, down: kill < kills ? 3_000_000 : 0 };
    await using ben = await SwarmPeer.start({ address: '127.0.0.2', device, limits });
    await together(anna, ben);
    await ben.learn(sphere, anna);
    await receive(ben, sphere, item, target, { bitfield });
    const before = countBits(bitfield ?? undefined);
    if (kill >= kills) {
      await until('the download is complete', () => ben.state(item.infoHash) === 'complete', SLOW_MS);
      return told;
    }
    // What was told before is there at once, without hashing it again.
    if (bitfield !== null) await until('the start', () => countBits(ben.bitfields.get(item.infoHash)) >= before);
    const pause = Math.random() * 1_000;
    await new Promise((resolve) => setTimeout(resolve, pause));
    await ben.kill();
    const latest = ben.bitfields.get(item.infoHash);
    if (latest !== undefined) bitfield = Uint8Array.from(latest);
    told.push(countBits(bitfield ?? undefined));
  }
}

test(
  `a receiver killed ${KILLS} times keeps every piece it told, and ends with the right bytes`,
  { timeout: SLOW_MS },
  async () => {
    await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
    const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 24 * MIB), 64 * 1024);
    const told = await receiveUnderKills(anna, item, folder, KILLS);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBeGreaterThan(0);
    expect(await sha256(join(folder, 'received'))).toBe(await sha256(item.path));
  },
);

test.each([3, isLong ? 10 : 5])(
  'in a swarm of %i the sharer disappears when one copy of each piece is out, and all complete from each other',
  { timeout: SLOW_MS },
  async (members) => {
    await using stack = new AsyncDisposableStack();
    const anna = await SwarmPeer.start({ address: '127.0.0.1', limits: { up: 8_000_000, down: 0 } });
    stack.defer(async () => await anna[Symbol.asyncDispose]());
    const others: SwarmPeer[] = [];
    for (let index = 1; index < members; index += 1) {
      others.push(stack.use(await SwarmPeer.start({ address: `127.0.0.${index + 1}` })));
    }
    await together(anna, ...others);
    const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 12 * MIB), 64 * 1024);
    for (const peer of others)
      for (const other of [anna, ...others]) if (peer !== other) await peer.learn(sphere, other);
    for (const [index, peer] of others.entries()) {
      await mkdir(join(folder, String(index)));
      await receive(peer, sphere, item, join(folder, String(index)));
    }
    const pieces = item.total / item.pieceLength;
    const union = (): number => {
      const all = new Uint8Array(Math.ceil(pieces / 8));
      for (const peer of others)
        peer.bitfields.get(item.infoHash)?.forEach((byte, at) => (all[at] = (all[at] ?? 0) | byte));
      return countBits(all);
    };
    await until('one copy of each piece is out', () => union() === pieces, SLOW_MS);
    await anna.kill();
    await until('all are complete', () => others.every((peer) => peer.state(item.infoHash) === 'complete'), SLOW_MS);
    const expected = await sha256(item.path);
    for (const index of others.keys()) expect(await sha256(join(folder, String(index), 'received'))).toBe(expected);
  },
);
