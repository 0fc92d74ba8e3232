import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import { hostileMessages } from './hostile-messages.ts';
import { dialRaw, handshake, message, serveRaw } from './raw-peer.ts';
import type { TestItem } from './swarm-peer.ts';
import { newEpoch, newSphere, randomFile, receive, sha256, share, SwarmPeer, TestDevice, until } from './swarm-peer.ts';

const MIB = 1024 * 1024;
const MOST_GROWTH = 64_000_000;
const [UNCHOKE, REQUEST, HAVE_ALL] = [1, 6, 14] as const;
const KEEP_ALIVE = Buffer.alloc(4);
let folder: string;
let sphere: SphereId;
let epoch: EpochKeys;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-messages-'));
  sphere = newSphere();
  epoch = newEpoch();
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A sharer, a member that fetches from it, and others that are admitted as well. */
async function scene(stack: AsyncDisposableStack, size: number, others: readonly TestDevice[]) {
  const anna = stack.use(await SwarmPeer.start({ address: '127.0.0.1' }));
  const ben = stack.use(await SwarmPeer.start({ address: '127.0.0.2' }));
  const devices = [anna.device.key, ben.device.key, ...others.map(({ key }) => key)];
  for (const peer of [anna, ben]) await peer.client.setSphere({ sphereId: sphere, epochs: [epoch], devices });
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), size));
  const raw = (device: TestDevice) => ({ device, sphereId: sphere, epoch, listed: devices });
  return { anna, ben, item, raw };
}

async function whole(peer: SwarmPeer, item: TestItem, path: string, ms = 60_000): Promise<void> {
  await until('the transfer completes', () => peer.state(item.infoHash) === 'complete', ms);
  expect(await sha256(path)).toBe(await sha256(item.path));
}

test('hostile messages of an admitted member end its connection to a sharer and nothing else', async () => {
  await using stack = new AsyncDisposableStack();
  const mallory = new TestDevice();
  const { anna, ben, item, raw } = await scene(stack, 24 * MIB, [mallory]);
  await anna.client.setLimits({ up: 8 * MIB, down: 0 });
  await ben.learn(sphere, anna);
  const path = await receive(ben, sphere, item, folder);
  await until('the transfer has begun', () => ben.bytesHave(item.infoHash) > 4 * MIB);
  const before = anna.residentBytes;
  let most = 0;
  const leaks: string[] = [];
  for (const [name, bytes] of hostileMessages(item.infoHash)) {
    const attack = await dialRaw(anna.endpoint, raw(mallory), { infoHash: item.infoHash });
    attack.socket.write(bytes);
    await pause(60);
    if (Buffer.concat(attack.received).includes(Buffer.from('6:pieces'))) leaks.push(name);
    attack.socket.destroy();
    most = Math.max(most, anna.residentBytes - before);
  }
  console.log(`hostile messages cost a sharer ${(most / MIB).toFixed(1)} MiB`);
  expect([leaks, most < MOST_GROWTH]).toEqual([[], true]);
  await expect(anna.client.heartbeat()).resolves.toEqual({ ok: true });
  await whole(ben, item, path);
});

test('hostile messages of members that are asked for pieces end their connections, and the others give everything', async () => {
  await using stack = new AsyncDisposableStack();
  const count = hostileMessages('' as never).length;
  const attackers = Array.from({ length: count }, () => new TestDevice());
  const { anna, ben, item, raw } = await scene(stack, 8 * MIB, attackers);
  const openings = hostileMessages(item.infoHash, Buffer.concat([message(HAVE_ALL), message(UNCHOKE)]));
  const path = await receive(ben, sphere, item, folder);
  const before = ben.residentBytes;
  let most = 0;
  const uncalled = new Set(openings.map(([name]) => name));
  for (const [index, device] of attackers.entries()) {
    const [name, opening] = openings[index] ?? ['', Buffer.of()];
    const served = await serveRaw(`127.0.1.${index + 1}`, raw(device), opening, () => undefined);
    stack.defer(served.close);
    const endpoint = { sphereId: sphere, device: device.key, endpoints: [served.endpoint], trackers: [] };
    await ben.client.setEndpoints(endpoint);
    await until(`${name} is called`, () => served.calls() > 0);
    uncalled.delete(name);
    await pause(60);
    most = Math.max(most, ben.residentBytes - before);
  }
  console.log(`hostile messages cost a member that fetches ${(most / MIB).toFixed(1)} MiB`);
  expect([Array.from(uncalled), most < MOST_GROWTH]).toEqual([[], true]);
  await expect(ben.client.heartbeat()).resolves.toEqual({ ok: true });
  await ben.learn(sphere, anna);
  await whole(ben, item, path);
}, 120_000);

test('a member that unchokes and never gives what it is asked for holds nothing up', async () => {
  await using stack = new AsyncDisposableStack();
  const mallory = new TestDevice();
  const { anna, ben, item, raw } = await scene(stack, 8 * MIB, [mallory]);
  let asked = 0;
  const opening = Buffer.concat([handshake(item.infoHash), message(HAVE_ALL), message(UNCHOKE)]);
  const miser = await serveRaw('127.0.0.4', raw(mallory), opening, ({ socket }, bytes) => {
    if (bytes[0] !== REQUEST) return;
    asked += 1;
    if (asked > 1) return;
    // Alive all the time, so that nothing but the late blocks speaks against it.
    const alive = setInterval(() => socket.write(KEEP_ALIVE), 500);
    socket.on('close', () => clearInterval(alive));
  });
  stack.defer(miser.close);
  const miserly = { sphereId: sphere, device: mallory.key, endpoints: [miser.endpoint], trackers: [] };
  await ben.client.setEndpoints(miserly);
  const path = await receive(ben, sphere, item, folder);
  await until('it is asked', () => asked > 0);
  await ben.learn(sphere, anna);
  // Sooner than it is given up for sending nothing.
  await whole(ben, item, path, 25_000);
  expect(asked).toBeGreaterThan(0);
});
