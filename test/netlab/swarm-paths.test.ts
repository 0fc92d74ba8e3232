import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Path } from '../../src/contract/swarm.ts';
import {
  newEpoch,
  newSphere,
  randomFile,
  receive,
  sha256,
  share,
  type SwarmPeer,
  until,
} from '../integration/swarm-peer.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';
import { passSignals, peerAt } from './swarm-peers.ts';

const reason = await whyNoLab();
if (reason !== undefined) console.warn(`SKIPPED: the network laboratory: ${reason}`);

const MIB = 1024 * 1024;
/** For a single meeting: the cells measure the median of five. Without an answer to its announcement it would take minutes. */
const SECONDS_MS = process.env['SPHERECAST_LONG'] === '1' ? 3_000 : 10_000;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'swarm-paths-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sphere = newSphere();
const epochs = [newEpoch()];

/** Both are in the sphere, and hear each other's signals. */
async function acquaint(anna: SwarmPeer, ben: SwarmPeer): Promise<void> {
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  passSignals(anna, ben);
}

async function tellRtc(anna: SwarmPeer, ben: SwarmPeer): Promise<void> {
  await until('WebRTC is there', () => [anna, ben].every((peer) => peer.network?.webrtc === 'ready'));
  const rest = { sphereId: sphere, endpoints: [], trackers: [], webrtc: true };
  await Promise.all([
    anna.client.setEndpoints({ ...rest, device: ben.device.key }),
    ben.client.setEndpoints({ ...rest, device: anna.device.key }),
  ]);
}

function wentBy(peer: SwarmPeer, way: Path): boolean {
  return peer.network?.attempts.find((attempt) => attempt.path === way)?.outcome === 'connected';
}

describe.skipIf(reason !== undefined)('two members', () => {
  test('of one network find each other at once, without any server and without addresses told', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    await lab.cut('a');
    const anna = await peerAt(lab, 'a1', { discoverLan: true });
    const ben = await peerAt(lab, 'a2', { discoverLan: true });
    const file = await randomFile(path.join(folder, 'lan'), 8 * MIB);
    await acquaint(anna, ben);
    const item = await share(anna, sphere, file);
    await until('both take part', () =>
      [anna, ben].every((peer) => peer.network?.interfaces.some(({ discovery }) => discovery === 'on')),
    );
    const start = performance.now();
    const got = await receive(ben, sphere, item, folder);
    await until('the first piece', () => ben.bitfields.get(item.infoHash)?.some((byte) => byte !== 0) === true);
    expect(performance.now() - start).toBeLessThan(SECONDS_MS);
    await until('the file', () => ben.state(item.infoHash) === 'complete');
    expect(await sha256(got)).toBe(await sha256(file));
    await until('it says so', () => wentBy(ben, 'lan') && (ben.network?.lanHeard ?? 0) > 0);
  });

  test('of one network in which IPv4 finds nobody find each other by IPv6', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2,v6=on' });
    await lab.cut('a');
    for (const host of ['a1', 'a2']) {
      await lab.exec(
        host,
        'nft',
        'add table ip deaf; add chain ip deaf output { type filter hook output priority 0; }',
      );
      await lab.exec(host, 'nft', 'add rule ip deaf output ip daddr 224.0.0.0/4 drop');
    }
    const anna = await peerAt(lab, 'a1', { discoverLan: true });
    const ben = await peerAt(lab, 'a2', { discoverLan: true });
    await acquaint(anna, ben);
    const item = await share(anna, sphere, await randomFile(path.join(folder, 'lan6'), MIB));
    const start = performance.now();
    await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'lan6-')));
    await until('the file', () => ben.state(item.infoHash) === 'complete');
    console.log(`found by IPv6 alone, 1 MiB there after ${Math.round(performance.now() - start)} ms`);
    expect(performance.now() - start).toBeLessThan(SECONDS_MS);
    await until('it says so', () => wentBy(ben, 'ipv6') && !wentBy(ben, 'lan'));
  });

  test('of one network give each other a metainfo too, without any server and without addresses told', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    await lab.cut('a');
    const anna = await peerAt(lab, 'a1', { discoverLan: true });
    const ben = await peerAt(lab, 'a2', { discoverLan: true });
    await acquaint(anna, ben);
    const item = await share(anna, sphere, await randomFile(path.join(folder, 'metainfo'), MIB));
    await until('they hear each other', () => (ben.network?.lanHeard ?? 0) > 0);
    const request = { sphereId: sphere, infoHash: item.infoHash, maxBytes: MIB };
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', item.metainfo));
    const { metainfo } = await ben.client.fetchMetainfo({ ...request, sha256: digest });
    expect(Buffer.compare(metainfo, item.metainfo)).toBe(0);
  });

  test('get a large metainfo from one whom nobody can call, and who gets out on few ports only', async () => {
    await using lab = await NetworkLab.start({ a: 'web', b: 'open' });
    const anna = await peerAt(lab, 'a1');
    const ben = await peerAt(lab, 'b1', { dataPort: 443 });
    await acquaint(anna, ben);
    const file = await randomFile(path.join(folder, 'brought'), 32 * MIB);
    const item = await share(anna, sphere, file, 16 * 1024);
    ben.onFetching = ({ infoHashes, metainfo }) => {
      void anna.client.fetching({ sphereId: sphere, device: ben.device.key, infoHashes, metainfo });
    };
    await tellRtc(anna, ben);
    await Promise.all([anna.learn(sphere, ben), ben.learn(sphere, anna)]);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', item.metainfo));
    const request = { sphereId: sphere, infoHash: item.infoHash, sha256: digest, maxBytes: 2 * MIB };
    const start = performance.now();
    const { metainfo } = await ben.client.fetchMetainfo(request);
    expect(performance.now() - start).toBeLessThan(SECONDS_MS);
    expect(Buffer.compare(metainfo, item.metainfo)).toBe(0);
    await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'brought-')));
    await until('the item follows', () => ben.state(item.infoHash) === 'complete');
  });

  test('who starts beside a member who has long been there is found as soon', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    const anna = await peerAt(lab, 'a1', { discoverLan: true });
    await anna.joinSphere(sphere, epochs, []);
    const item = await share(anna, sphere, await randomFile(path.join(folder, 'late'), MIB));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const ben = await peerAt(lab, 'a2', { discoverLan: true });
    await anna.joinSphere(sphere, epochs, [ben]);
    const start = performance.now();
    await ben.joinSphere(sphere, epochs, [anna]);
    await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'late-')));
    await until('the file', () => ben.state(item.infoHash) === 'complete');
    expect(performance.now() - start).toBeLessThan(SECONDS_MS);
  });

  test('who were told no address reach each other by WebRTC, and say so', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    const limits = { up: 2 * MIB, down: 0 };
    const [anna, ben] = [await peerAt(lab, 'a1', { limits }), await peerAt(lab, 'a2')];
    await acquaint(anna, ben);
    const file = await randomFile(path.join(folder, 'rtc'), 8 * MIB);
    const item = await share(anna, sphere, file);
    const got = await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'rtc-')));
    await tellRtc(anna, ben);
    await until('the path', () => ben.paths.includes('webrtc'));
    await until('the file', () => ben.state(item.infoHash) === 'complete');
    expect(await sha256(got)).toBe(await sha256(file));
    await until('it says so', () => wentBy(ben, 'webrtc'));
  });

  test('take a better path as soon as there is one, and lose nothing', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    const limits = { up: 2 * MIB, down: 0 };
    const [anna, ben] = [await peerAt(lab, 'a1', { limits }), await peerAt(lab, 'a2')];
    await acquaint(anna, ben);
    // Still under way when the better path is found, however busy the machine.
    const file = await randomFile(path.join(folder, 'better'), 64 * MIB);
    const item = await share(anna, sphere, file);
    const got = await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'better-')));
    await tellRtc(anna, ben);
    await until('the first path', () => ben.paths.includes('webrtc'));
    await ben.client.setEndpoints({
      sphereId: sphere,
      device: anna.device.key,
      endpoints: [anna.endpoint],
      trackers: [],
      webrtc: true,
    });
    await until('the better path', () => ben.paths.join(' ') === 'lan' && anna.paths.join(' ') === 'lan');
    await anna.client.setLimits({ up: 0, down: 0 });
    await until('the file', () => ben.state(item.infoHash) === 'complete');
    expect(await sha256(got)).toBe(await sha256(file));
  });

  test('whose cable is pulled go on within seconds, whoever of them shares', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    const limits = { up: MIB, down: 0 };
    const [anna, ben] = [await peerAt(lab, 'a1', { limits }), await peerAt(lab, 'a2')];
    await acquaint(anna, ben);
    const item = await share(anna, sphere, await randomFile(path.join(folder, 'cable'), 64 * MIB));
    await receive(ben, sphere, item, await mkdtemp(path.join(folder, 'cable-')));
    // Only the one who shares can call.
    await anna.learn(sphere, ben);
    const has = (): number => ben.bytesHave(item.infoHash);
    await until('some of it', () => has() > 4 * MIB);
    await lab.cut('a1');
    await until('the doubt', () => anna.network?.suspect === 1 && ben.network?.suspect === 1);
    await new Promise((resolve) => setTimeout(resolve, 14_000));
    await lab.heal('a1');
    const [back, had] = [performance.now(), has()];
    await until('more of it', () => has() > had + MIB);
    expect(performance.now() - back).toBeLessThan(2 * 10_000);
  });
});
