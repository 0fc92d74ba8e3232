import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEpoch, newSphere, randomFile, receive, sha256, share, SwarmPeer, until } from './swarm-peer.ts';

const MIB = 1024 * 1024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-swarm-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('two members share 64 MiB and both end with the same bytes', async () => {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  await using anna = await SwarmPeer.start({ address: '127.0.0.1' });
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), 64 * MIB + 12_345));
  await ben.learn(sphere, anna);
  const path = await receive(ben, sphere, item, folder);
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
});
