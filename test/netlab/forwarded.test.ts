import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SwarmEvent } from '../../src/contract/swarm.ts';
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
import { peerAt } from './swarm-peers.ts';

const reason = await whyNoLab();
if (reason !== undefined) console.warn(`SKIPPED: ports that a person forwarded: ${reason}`);

const MIB = 1024 * 1024;
/** For a single meeting on a busy machine. */
const SECONDS_MS = process.env['SPHERECAST_LONG'] === '1' ? 2_000 : 10_000;
const sphere = newSphere();

/** All are in one sphere and hear of each other what engines pass on; nobody understands WebRTC. */
async function acquaint(...peers: SwarmPeer[]): Promise<void> {
  const epochs = [newEpoch()];
  for (const peer of peers) {
    await peer.joinSphere(
      sphere,
      epochs,
      peers.filter((other) => other !== peer),
    );
  }
  for (const peer of peers) {
    const { key: device } = peer.device;
    const hear = async (event: SwarmEvent): Promise<void> => {
      if (event.kind === 'candidates') {
        const { endpoints, trackers } = event;
        const others = peers.filter((other) => other !== peer);
        await Promise.all(
          others.map(({ client }) => client.setEndpoints({ sphereId: sphere, device, endpoints, trackers })),
        );
      }
      if (event.kind !== 'probe' && event.kind !== 'reached') return;
      const to = peers.find((other) => other.device.key === event.device);
      if (event.kind === 'probe') await to?.client.probe({ ...event, device });
      else await to?.client.reached({ ...event, device });
    };
    peer.onEvent = (event) => void hear(event);
    for (const event of peer.events) await hear(event);
  }
}

describe.skipIf(reason !== undefined)('a port that a person forwarded on the router', () => {
  test('is found out with nothing shared, and whoever can only dial out comes in by it at once', async () => {
    await using lab = await NetworkLab.start({ a: 'cone', b: 'open', c: 'tcp' });
    const [anna, ben, cara] = [await peerAt(lab, 'a1'), await peerAt(lab, 'b1'), await peerAt(lab, 'c1')];
    const home = lab.home('a');
    await home.forward(anna.dataPort, 1);
    await acquaint(anna, ben, cara);
    const outside = `${home.outside}:${anna.dataPort}`;
    await until('a member came in', () =>
      anna.events.some((event) => event.kind === 'candidates' && event.endpoints.includes(outside)),
    );
    const opened = () => anna.network?.ports.find(({ state }) => state === 'open');
    await until('it says so', () => opened()?.outside === outside);
    expect(opened()).toMatchObject({ purpose: 'data', via: null });
    // Nobody has forwarded anything there.
    const doors = (peer: SwarmPeer) => peer.network?.ports.filter(({ state }) => state === 'open');
    expect(doors(cara)).toEqual([]);
    const folder = await mkdtemp(path.join(tmpdir(), 'forwarded-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = await randomFile(path.join(folder, 'film'), 4 * MIB);
    const item = await share(anna, sphere, file);
    const start = performance.now();
    const got = await receive(cara, sphere, item, await mkdtemp(path.join(folder, 'got-')));
    await until('the first piece', () => cara.bitfields.get(item.infoHash)?.some((byte) => byte !== 0) === true);
    const tookMs = performance.now() - start;
    console.log(`first byte through a forwarded port: ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(SECONDS_MS);
    await until('the file', () => cara.state(item.infoHash) === 'complete');
    expect(await sha256(got)).toBe(await sha256(file));
    const isBy = { device: anna.device.key, path: 'tcp', outcome: 'connected' };
    await expect
      .poll(() => cara.network?.attempts, { timeout: 10_000, interval: 50 })
      .toContainEqual(expect.objectContaining(isBy));
  });
});
