import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RawPeer } from './raw-peer.ts';
import { dialRaw, handshake, message } from './raw-peer.ts';
import type { TestItem } from './swarm-peer.ts';
import { newEpoch, newSphere, randomFile, share, SwarmPeer, TestDevice, until } from './swarm-peer.ts';

const MIB = 1024 * 1024;
const PIECES = 128;
const LARGEST_BLOCK = 128 * 1024;
const SMALLEST_BLOCK = 16 * 1024;
/** As many as a peer may leave unanswered. */
const MOST_REQUESTS = 2000;
const [UNCHOKE, INTERESTED, REQUEST, HAVE_NONE] = [1, 2, 6, 15] as const;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-greedy-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const bytesOf = ({ received }: RawPeer): number => received.reduce((sum, { length }) => sum + length, 0);

/** The sharer, and a member that means no good. */
class Scene {
  readonly #anna: SwarmPeer;
  readonly #sphere = newSphere();
  readonly #epoch = newEpoch();
  readonly #mallory = new TestDevice();

  constructor(anna: SwarmPeer) {
    this.#anna = anna;
  }

  /** Items over one file, each under a key of its own. */
  async share(items: number, pieces: number): Promise<TestItem[]> {
    const devices = [this.#anna.device.key, this.#mallory.key];
    await this.#anna.client.setSphere({ sphereId: this.#sphere, epochs: [this.#epoch], devices });
    const path = await randomFile(join(folder, 'film.mp4'), pieces * MIB);
    const shared: TestItem[] = [];
    while (shared.length < items) shared.push(await share(this.#anna, this.#sphere, path, MIB));
    return shared;
  }

  /** An unchoked connection, after it was given something as any other. */
  async unchoked({ infoHash }: TestItem): Promise<RawPeer> {
    const who = { device: this.#mallory, sphereId: this.#sphere, epoch: this.#epoch, listed: [this.#anna.device.key] };
    const raw = await dialRaw(this.#anna.endpoint, who, { infoHash });
    raw.socket.write(handshake(infoHash));
    await until('the extended handshake arrives', () => Buffer.concat(raw.received).includes('reqq'));
    raw.socket.write(Buffer.concat([message(HAVE_NONE), message(INTERESTED)]));
    await until('it is unchoked', () => Buffer.concat(raw.received).includes(message(UNCHOKE)));
    for (let block = 0; block < 32; block += 1) raw.socket.write(message(REQUEST, block >> 3, 0, LARGEST_BLOCK));
    await until('it is given something', () => bytesOf(raw) > 32 * LARGEST_BLOCK);
    return raw;
  }

  /** How much more memory the sharer takes meanwhile, at most. */
  async growthSince(before: number, seconds: number): Promise<number> {
    let most = 0;
    for (let look = 0; look < seconds * 5; look += 1) {
      await pause(200);
      most = Math.max(most, this.#anna.residentBytes - before);
    }
    return most;
  }
}

test.skipIf(process.platform !== 'linux').each([
  [
    'all of it in large blocks',
    LARGEST_BLOCK,
    (index: number) => [(index >> 3) % PIECES, (index & 7) * LARGEST_BLOCK] as const,
  ],
  ['a block of every piece', SMALLEST_BLOCK, (index: number) => [index % PIECES, 0] as const],
])('an unchoked member who asks for %s and reads nothing costs less than 64 MB', async (_what, length, place) => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  const scene = new Scene(anna);
  const [item] = await scene.share(1, PIECES);
  if (item === undefined) throw new Error('nothing was shared');
  const raw = await scene.unchoked(item);
  raw.socket.pause();
  const before = anna.residentBytes;
  const requests = Array.from({ length: MOST_REQUESTS }, (_, index) => message(REQUEST, ...place(index), length));
  raw.socket.write(Buffer.concat(requests));
  const most = await scene.growthSince(before, 4);
  console.log(`a greedy member costs ${(most / MIB).toFixed(1)} MiB`);
  expect(most).toBeLessThan(64_000_000);
  // It was not let go: what it asked for waits.
  expect(raw.closed).toBe(false);
  await expect(Promise.race([anna.client.heartbeat(), pause(2_000)])).resolves.toEqual({ ok: true });
  raw.socket.destroy();
});

test.skipIf(process.platform !== 'linux')(
  'a member of thirty-two items who asks for all of them and reads nothing costs less than 64 MB too',
  async () => {
    await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
    const scene = new Scene(anna);
    const pieces = 16;
    const items = await scene.share(32, pieces);
    // What honest use of all of them takes is no growth.
    for (const item of items) (await scene.unchoked(item)).socket.destroy();
    const before = anna.residentBytes;
    const links: RawPeer[] = [];
    for (const item of items) {
      const raw = await scene.unchoked(item);
      raw.socket.pause();
      links.push(raw);
    }
    const request = (index: number): Buffer =>
      message(REQUEST, index % pieces, (Math.floor(index / pieces) % 8) * LARGEST_BLOCK, LARGEST_BLOCK);
    const requests = Array.from({ length: MOST_REQUESTS }, (_, index) => request(index));
    for (const { socket } of links) socket.write(Buffer.concat(requests));
    const most = await scene.growthSince(before, 10);
    console.log(`a member of thirty-two items costs ${(most / MIB).toFixed(1)} MiB`);
    expect(most).toBeLessThan(64_000_000);
    expect(links.some(({ closed }) => closed)).toBe(false);
    await expect(Promise.race([anna.client.heartbeat(), pause(2_000)])).resolves.toEqual({ ok: true });
    for (const { socket } of links) socket.destroy();
  },
);
