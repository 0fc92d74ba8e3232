import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import { readIdentity } from '../../src/torrent/file-identity.ts';
import type { SwarmClient, TestItem } from './swarm-peer.ts';
import {
  bytes,
  countBits,
  newEpoch,
  newSphere,
  randomFile,
  receive,
  serve,
  sha256,
  share,
  sparseFile,
  SwarmPeer,
  TestDevice,
  until,
} from './swarm-peer.ts';

type HashPlan = Parameters<SwarmClient['hash']>[0];

const MIB = 1024 * 1024;
const isLong = process.env['SPHERECAST_LONG'] === '1';
/** 200 in a long run and 40 in others, with those of whole engines (engine-kill.test.ts). */
const SHARER_KILLS = isLong ? 60 : 12;
const TRANSFER_KILLS = isLong ? 122 : 22;
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

/** Kills a process at a random moment. */
async function killSoon(peer: SwarmPeer): Promise<void> {
  const pause = Math.random() * 1_000;
  await new Promise((resolve) => setTimeout(resolve, pause));
  await peer.kill();
}

/** Hashes a file in processes that are killed over and over; what each of them had told, and what the last one found. */
async function hashUnderKills(plan: HashPlan, kills: number): Promise<{ told: Uint8Array[]; pieces: Uint8Array }> {
  const told: Uint8Array[] = [];
  let known = new Uint8Array();
  for (let kill = 0; ; kill += 1) {
    await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
    const killing = kill < kills ? killSoon(anna) : Promise.resolve();
    try {
      for await (const step of await anna.client.hash({ ...plan, known })) {
        if (step.kind === 'done') {
          await killing;
          if (kill >= kills) return { told, pieces: step.pieces };
          // The whole of it may be told before the kill: the next one begins in the middle.
          known = step.pieces.slice(0, Math.floor(step.pieces.length / 40) * 20);
        } else known = new Uint8Array(Buffer.concat([known, step.pieces]));
      }
    } catch (error) {
      await killing;
      if (kill >= kills) throw error;
    }
    told.push(known);
  }
}

/** Ben fetches from Anna, and one of the two is killed in turn at random moments; the pieces that Ben had told each time. */
async function transferUnderKills(item: TestItem, target: string, kills: number): Promise<number[]> {
  const devices = { anna: new TestDevice(), ben: new TestDevice() };
  const told: number[] = [];
  let bitfield: Uint8Array<ArrayBuffer> | null = null;
  // Slow enough for the last kill to come before the last piece.
  const limits = { up: Math.ceil(item.length / (kills * 0.4)), down: 0 };
  const seed = async (): Promise<SwarmPeer> => {
    const anna = await SwarmPeer.start({ address: '127.0.0.1', device: devices.anna, limits });
    await anna.client.setSphere({ sphereId: sphere, epochs, devices: Object.values(devices).map(({ key }) => key) });
    await serve(anna, sphere, item);
    return anna;
  };
  let anna = await seed();
  let ben: SwarmPeer | null = null;
  try {
    for (let kill = 0; ; kill += 1) {
      const before = countBits(bitfield ?? undefined);
      if (ben === null) {
        ben = await SwarmPeer.start({ address: '127.0.0.2', device: devices.ben });
        await ben.joinSphere(sphere, epochs, [anna]);
        await receive(ben, sphere, item, target, { bitfield });
        // What was told before is there at once, without hashing it again.
        const { bitfields } = ben;
        if (before > 0) await until('the start', () => countBits(bitfields.get(item.infoHash)) >= before);
      }
      await ben.learn(sphere, anna);
      if (kill >= kills) {
        await anna.client.setLimits({ up: 0, down: 0 });
        const { states } = ben;
        await until('the download is complete', () => states.get(item.infoHash)?.state === 'complete', SLOW_MS);
        return told;
      }
      const isSeeder = kill % 2 === 1;
      await killSoon(isSeeder ? anna : ben);
      const latest = ben.bitfields.get(item.infoHash);
      if (latest !== undefined) bitfield = Uint8Array.from(latest);
      told.push(countBits(bitfield ?? undefined));
      if (isSeeder) anna = await seed();
      else ben = null;
    }
  } finally {
    await anna[Symbol.asyncDispose]();
    await ben?.[Symbol.asyncDispose]();
  }
}

test(
  `a sharer killed ${SHARER_KILLS} times while it hashes goes on behind what it told, and finds the same`,
  { timeout: SLOW_MS },
  async () => {
    const path = join(folder, 'film.mp4');
    await sparseFile(path, 768 * MIB);
    const handle = await open(path, 'r+');
    for (let at = 0; at < 768; at += 100) await handle.write(bytes(MIB), 0, MIB, at * MIB);
    await handle.close();
    const plan: HashPlan = {
      segments: [{ kind: 'file', offset: 0, length: 768 * MIB, path, root: null, identity: await readIdentity(path) }],
      length: 768 * MIB,
      pieceLength: 256 * 1024,
      mediaKey: bytes(32),
    };
    const expected = await hashUnderKills(plan, 0);
    const { told, pieces } = await hashUnderKills(plan, SHARER_KILLS);
    expect(Buffer.compare(pieces, expected.pieces)).toBe(0);
    for (const part of told) expect(Buffer.compare(part, expected.pieces.subarray(0, part.length))).toBe(0);
    expect(told.some(({ length }) => length > 0)).toBe(true);
  },
);

test(
  `a receiver and a sharer killed ${TRANSFER_KILLS} times in turn keep every piece that was told, and the bytes are right`,
  { timeout: 20_000 * TRANSFER_KILLS + SLOW_MS },
  async () => {
    const path = await randomFile(join(folder, 'film.mp4'), 24 * MIB);
    await using sharer = await SwarmPeer.start({ address: '127.0.0.3' });
    await together(sharer);
    const item = await share(sharer, sphere, path, 64 * 1024);
    const told = await transferUnderKills(item, folder, TRANSFER_KILLS);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBeGreaterThan(0);
    expect(await sha256(join(folder, 'received'))).toBe(await sha256(item.path));
  },
);

test.each([3, 10])(
  'in a swarm of %i the sharer disappears when one copy of each piece is out, and all complete from each other',
  { timeout: SLOW_MS },
  async (members) => {
    await using stack = new AsyncDisposableStack();
    const anna = await SwarmPeer.start({ address: '127.0.0.1', limits: { up: 4_000_000, down: 0 } });
    stack.defer(async () => await anna[Symbol.asyncDispose]());
    const others: SwarmPeer[] = [];
    for (let index = 1; index < members; index += 1) {
      others.push(stack.use(await SwarmPeer.start({ address: `127.0.0.${index + 1}` })));
    }
    await together(anna, ...others);
    const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 4 * MIB), 64 * 1024);
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
