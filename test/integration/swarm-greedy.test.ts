import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RawPeer } from './raw-peer.ts';
import { dialRaw, handshake, message } from './raw-peer.ts';
import { newEpoch, newSphere, randomFile, share, SwarmPeer, TestDevice, until } from './swarm-peer.ts';

const MIB = 1024 * 1024;
const PIECES = 128;
const LARGEST_BLOCK = 128 * 1024;
const SMALLEST_BLOCK = 16 * 1024;
/** As many as a peer may leave unanswered. */
const MOST_REQUESTS = 500;
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

function memoryOf({ child }: SwarmPeer): number {
  const status = execFileSync('cat', [`/proc/${child.pid}/status`]).toString();
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** An unchoked member, after it was given something as any other. */
async function unchoked(anna: SwarmPeer): Promise<RawPeer> {
  const sphere = newSphere();
  const epoch = newEpoch();
  const mallory = new TestDevice();
  await anna.client.setSphere({ sphereId: sphere, epochs: [epoch], devices: [anna.device.key, mallory.key] });
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), PIECES * MIB), MIB);
  const who = { device: mallory, sphereId: sphere, epoch, listed: [anna.device.key] };
  const raw = await dialRaw(anna.endpoint, who, { infoHash: item.infoHash });
  raw.socket.write(handshake(item.infoHash));
  await until('the extended handshake arrives', () => Buffer.concat(raw.received).includes('reqq'));
  raw.socket.write(Buffer.concat([message(HAVE_NONE), message(INTERESTED)]));
  await until('it is unchoked', () => Buffer.concat(raw.received).includes(message(UNCHOKE)));
  for (let block = 0; block < 32; block += 1) raw.socket.write(message(REQUEST, block >> 3, 0, LARGEST_BLOCK));
  await until('it is given something', () => bytesOf(raw) > 32 * LARGEST_BLOCK);
  return raw;
}

test.skipIf(process.platform !== 'linux').each([
  ['all of it in large blocks', LARGEST_BLOCK, (index: number) => [index >> 3, (index & 7) * LARGEST_BLOCK] as const],
  ['a block of every piece', SMALLEST_BLOCK, (index: number) => [index % PIECES, 0] as const],
])('an unchoked member who asks for %s and reads nothing costs less than 64 MB', async (_what, length, place) => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  const raw = await unchoked(anna);
  raw.socket.pause();
  const before = memoryOf(anna);
  const requests = Array.from({ length: MOST_REQUESTS }, (_, index) => message(REQUEST, ...place(index), length));
  raw.socket.write(Buffer.concat(requests));
  let most = 0;
  for (let look = 0; look < 20; look += 1) {
    await pause(200);
    most = Math.max(most, memoryOf(anna) - before);
  }
  console.log(`a greedy member costs ${(most / MIB).toFixed(1)} MiB`);
  expect(most).toBeLessThan(64_000_000);
  // It was not let go: what it asked for waits.
  expect(raw.closed).toBe(false);
  await expect(Promise.race([anna.client.heartbeat(), pause(2_000)])).resolves.toEqual({ ok: true });
  raw.socket.destroy();
});
