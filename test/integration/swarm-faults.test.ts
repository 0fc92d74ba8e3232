import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
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
const SHARER_KILLS = isLong ? 80 : 18;
const TRANSFER_KILLS = isLong ? 102 : 16;
/** Processes that start take their time on a busy machine. */
const SLOW_MS = 600_000;
/** A sphere and a folder of one test, since tests run side by side. */
class Place implements AsyncDisposable {
  readonly folder: string;
  readonly sphere: SphereId = newSphere();
  readonly epochs: EpochKeys[] = [newEpoch()];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'spherecast-faults-')));
  }

  async together(...peers: SwarmPeer[]): Promise<void> {
    await Promise.all(peers.map((peer) => peer.joinSphere(this.sphere, this.epochs, peers)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Kills a process at a random moment. */
async function killSoon(peer: SwarmPeer): Promise<void> {
  await sleep(Math.random() * 500);
  await peer.kill();
}

/** Hashes a file in processes that are killed over and over; what each of them had told, and what the last one found. */
async function hashUnderKills(plan: HashPlan, kills: number): Promise<{ told: Uint8Array[]; pieces: Uint8Array }> {
  const told: Uint8Array[] = [];
  let known = new Uint8Array();
  for (let kill = 0; ; kill += 1) {
    await using anna = await SwarmPeer.start({ address: '127.0.0.20' });
    const isSpared = kill >= kills;
    let killing = !isSpared && kill % 2 === 0 ? killSoon(anna) : null;
    try {
      for await (const step of await anna.client.hash({ ...plan, known })) {
        // Every other one has told something by then, however slow the machine.
        if (!isSpared) killing ??= killSoon(anna);
        if (step.kind === 'done') {
          await killing;
          if (isSpared) return { told, pieces: step.pieces };
          // The whole of it may be told before the kill: the next one begins in the middle.
          known = step.pieces.slice(0, Math.floor(step.pieces.length / 40) * 20);
        } else known = new Uint8Array(Buffer.concat([known, step.pieces]));
      }
    } catch (error) {
      await killing;
      if (isSpared) throw error;
    }
    told.push(known);
  }
}

/** Ben fetches from Anna, and one of the two is killed in turn at random moments; the pieces that Ben had told each time. */
async function transferUnderKills({ sphere, epochs, folder }: Place, item: TestItem, kills: number): Promise<number[]> {
  const devices = { anna: new TestDevice(), ben: new TestDevice() };
  const told: number[] = [];
  let bitfield: Uint8Array<ArrayBuffer> | null = null;
  // Slow enough for the last kill to come before the last piece.
  const limits = { up: Math.ceil(item.length / (kills * 0.4)), down: 0 };
  const begin = {
    anna: () => SwarmPeer.start({ address: '127.0.0.1', device: devices.anna, limits }),
    ben: () => SwarmPeer.start({ address: '127.0.0.2', device: devices.ben }),
  };
  const seed = async (anna: SwarmPeer): Promise<void> => {
    await anna.client.setSphere({ sphereId: sphere, epochs, devices: Object.values(devices).map(({ key }) => key) });
    await serve(anna, sphere, item);
  };
  const fetch = async (ben: SwarmPeer, anna: SwarmPeer): Promise<void> => {
    const before = countBits(bitfield ?? undefined);
    await ben.joinSphere(sphere, epochs, [anna]);
    await receive(ben, sphere, item, folder, { bitfield });
    // What was told before is there at once, without hashing it again.
    if (before > 0) await until('the start', () => countBits(ben.bitfields.get(item.infoHash)) >= before);
  };
  let [anna, ben] = await Promise.all([begin.anna(), begin.ben()]);
  try {
    await seed(anna);
    await fetch(ben, anna);
    for (let kill = 0; kill < kills; kill += 1) {
      await ben.learn(sphere, anna);
      const isSeeder = kill % 2 === 1;
      // The next one of the same device starts while this one has its last moments.
      const [next] = await Promise.all(isSeeder ? [begin.anna(), killSoon(anna)] : [begin.ben(), killSoon(ben)]);
      const latest = ben.bitfields.get(item.infoHash);
      if (latest !== undefined) bitfield = Uint8Array.from(latest);
      told.push(countBits(bitfield ?? undefined));
      if (isSeeder) await seed((anna = next));
      else await fetch((ben = next), anna);
    }
    await ben.learn(sphere, anna);
    await anna.client.setLimits({ up: 0, down: 0 });
    const { states } = ben;
    await until('the download is complete', () => states.get(item.infoHash)?.state === 'complete', SLOW_MS);
    return told;
  } finally {
    await Promise.all([anna.kill(), ben.kill()]);
  }
}

// Most of the time nothing but a pause or a start is waited for.
describe.concurrent('killed over and over', () => {
  test(
    `a sharer killed ${SHARER_KILLS} times while it hashes goes on behind what it told, and finds the same`,
    { timeout: SLOW_MS },
    async () => {
      await using place = await Place.make();
      const length = 384 * MIB;
      const path = await sparseFile(join(place.folder, 'film.mp4'), length);
      const handle = await open(path, 'r+');
      for (let at = 0; at < length; at += 100 * MIB) await handle.write(bytes(MIB), 0, MIB, at);
      await handle.close();
      const plan: HashPlan = {
        segments: [{ kind: 'file', offset: 0, length, path, root: null, identity: await readIdentity(path) }],
        length,
        pieceLength: 256 * 1024,
        mediaKey: bytes(32),
      };
      const expected = await hashUnderKills(plan, 0);
      const { told, pieces } = await hashUnderKills(plan, SHARER_KILLS);
      expect(Buffer.compare(pieces, expected.pieces)).toBe(0);
      for (const part of told) expect(Buffer.compare(part, expected.pieces.subarray(0, part.length))).toBe(0);
      expect(told.some(({ length: bytesTold }) => bytesTold > 0)).toBe(true);
    },
  );

  test(
    `a receiver and a sharer killed ${TRANSFER_KILLS} times in turn keep every piece that was told, and the bytes are right`,
    { timeout: 20_000 * TRANSFER_KILLS + SLOW_MS },
    async () => {
      await using place = await Place.make();
      const path = await randomFile(join(place.folder, 'film.mp4'), 24 * MIB);
      await using sharer = await SwarmPeer.start({ address: '127.0.0.3' });
      await place.together(sharer);
      const item = await share(sharer, place.sphere, path, 64 * 1024);
      const told = await transferUnderKills(place, item, TRANSFER_KILLS);
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(told.at(-1)).toBeGreaterThan(0);
      expect(await sha256(join(place.folder, 'received'))).toBe(await sha256(item.path));
    },
  );
});

test.each([3, 10])(
  'in a swarm of %i the sharer disappears when one copy of each piece is out, and all complete from each other',
  { timeout: SLOW_MS },
  async (members) => {
    await using place = await Place.make();
    const { folder, sphere } = place;
    await using stack = new AsyncDisposableStack();
    const start = async (index: number, limits = { up: 0, down: 0 }): Promise<SwarmPeer> => {
      const peer = await SwarmPeer.start({ address: `127.0.0.${index + 1}`, limits });
      stack.defer(() => peer.kill());
      return peer;
    };
    const anna = await start(0, { up: 4_000_000, down: 0 });
    const others = await Promise.all(Array.from({ length: members - 1 }, (_, index) => start(index + 1)));
    await place.together(anna, ...others);
    const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 4 * MIB), 64 * 1024);
    await Promise.all(
      others.map(async (peer, index) => {
        for (const other of [anna, ...others]) if (peer !== other) await peer.learn(sphere, other);
        await mkdir(join(folder, String(index)));
        await receive(peer, sphere, item, join(folder, String(index)));
      }),
    );
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
