import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Segment, SwarmEvent } from '../../src/contract/swarm.ts';
import { eventsOf } from '../fixtures/events-of.ts';
import {
  countBits,
  fullBitfield,
  newEpoch,
  newSphere,
  randomFile,
  receive,
  share,
  sparseFile,
  SwarmPeer,
  TestDevice,
  until,
} from './swarm-peer.ts';

const MIB = 1024 * 1024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-process-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function occupied(address: string): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  return { server, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
}

test('a port that is taken gives way to one of the next', async () => {
  const { server, port } = await occupied('127.0.0.1');
  await using peer = await SwarmPeer.start({ address: '127.0.0.1', dataPort: port });
  expect(peer.dataPort).toBeGreaterThan(port);
  expect(peer.dataPort).toBeLessThanOrEqual(port + 20);
  expect(peer.trackerPort).not.toBe(peer.dataPort);
  server.close();
});

test('the process ends cleanly by signal, and with its channel', async () => {
  const first = await SwarmPeer.start({ address: '127.0.0.1' });
  first.child.kill('SIGTERM');
  expect(await once(first.child, 'exit')).toEqual([0, null]);
  const second = await SwarmPeer.start({ address: '127.0.0.1' });
  second.child.disconnect();
  expect(await once(second.child, 'exit')).toEqual([0, null]);
});

test('a sphere that is added again while it is removed keeps what was added', async () => {
  await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
  const [sphereId, epochs] = [newSphere(), [newEpoch()]];
  await peer.joinSphere(sphereId, epochs, []);
  const items = await Promise.all(
    Array.from({ length: 4 }, async (_, index) =>
      share(peer, sphereId, await randomFile(join(folder, `${index}`), MIB)),
    ),
  );
  const again = items.map(({ infoHash, metainfo, mediaKey, segments, total, pieceLength }) => {
    const rest = { bitfield: fullBitfield(total / pieceLength), paused: false, background: true };
    return { sphereId, infoHash, metainfo, mediaKey, segments, ...rest };
  });
  await Promise.all([
    peer.client.removeSphere({ sphereId }),
    peer.joinSphere(sphereId, epochs, []),
    ...again.map((item) => peer.add(item)),
  ]);
  for (const { infoHash } of items) await expect(peer.client.pause({ infoHash })).resolves.toEqual({ ok: true });
});

test('calls that wait when the process is killed fail as unavailable', async () => {
  const peer = await SwarmPeer.start({ address: '127.0.0.1' });
  const path = await sparseFile(join(folder, 'large'), 2048 * MIB);
  const segments: Segment[] = [{ kind: 'file', offset: 0, length: 2048 * MIB, path, root: null, identity: null }];
  const request = { segments, length: 2048 * MIB, pieceLength: MIB, mediaKey: new Uint8Array(32) };
  const hashing = await peer.client.hash(request);
  const drain = async (): Promise<string> => {
    for await (const step of hashing) if (step.kind === 'done') return 'done';
    return 'ended';
  };
  const [drained] = await Promise.allSettled([drain(), peer.kill()]);
  expect(drained).toMatchObject({ status: 'rejected', reason: { code: 'swarm-unavailable' } });
  await expect(peer.client.heartbeat()).rejects.toMatchObject({ code: 'swarm-unavailable' });
});

test('leaving a hash stops the work', async () => {
  await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
  const path = await sparseFile(join(folder, 'large'), 16_384 * MIB);
  const segments: Segment[] = [{ kind: 'file', offset: 0, length: 16_384 * MIB, path, root: null, identity: null }];
  const request = { segments, length: 16_384 * MIB, pieceLength: 16 * MIB, mediaKey: new Uint8Array(32) };
  for await (const step of await peer.client.hash(request)) {
    expect(step.kind).toBe('progress');
    break;
  }
  const small = await randomFile(join(folder, 'small'), MIB);
  const start = performance.now();
  await share(peer, newSphere(), small);
  expect(performance.now() - start).toBeLessThan(2_000);
});

test('stopping ends the sharing, and a later start takes the same port again', async () => {
  await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
  await peer.client.stop();
  const sphereId = newSphere();
  await expect(peer.client.setSphere({ sphereId, epochs: [newEpoch()], devices: [] })).rejects.toMatchObject({
    code: 'swarm-unavailable',
  });
  const device = new TestDevice();
  const ports = await peer.client.start({
    deviceKey: device.key,
    devicePrivateKey: device.privateKey,
    dataPort: peer.dataPort,
    addresses: ['127.0.0.1'],
    mapPorts: false,
    limits: { up: 0, down: 0 },
  });
  expect(ports.dataPort).toBe(peer.dataPort);
});

test('a reader that comes late is told everything first', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  const sphere = newSphere();
  await anna.joinSphere(sphere, [newEpoch()], []);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film'), MIB));
  const first: SwarmEvent[] = [];
  for await (const event of eventsOf(await anna.client.events())) {
    first.push(event);
    if (event.kind === 'totals') break;
  }
  expect(first.map(({ kind }) => kind)).toEqual(['candidates', 'state', 'peers', 'totals']);
  expect(first[1]).toMatchObject({ torrent: { infoHash: item.infoHash, state: 'complete', bytesHave: item.total } });
});

test('a metainfo that is not of the announced torrent is refused', async () => {
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  const sphere = newSphere();
  await anna.joinSphere(sphere, [newEpoch()], []);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film'), MIB));
  const forged = Uint8Array.from(item.metainfo);
  forged[forged.length - 30] = 0x41;
  await expect(receive(anna, sphere, { ...item, metainfo: forged }, folder)).rejects.toMatchObject({
    code: 'invalid-torrent',
  });
});

test('progress is told at most four times a second', async () => {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2', limits: { up: 0, down: 4 * MIB } });
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film'), 16 * MIB), 16 * 1024);
  await ben.learn(sphere, anna);
  const start = performance.now();
  await receive(ben, sphere, item, folder);
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  const seconds = (performance.now() - start) / 1000;
  const told = ben.events.filter((event) => event.kind === 'have').length;
  expect(told / seconds).toBeLessThanOrEqual(5);
  expect(countBits(ben.bitfields.get(item.infoHash))).toBe(1024);
});
