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
const isLong = process.env['SPHERECAST_LONG'] === '1';
const SECONDS_MS = isLong ? 2_000 : 10_000;
const MINUTE_MS = 60_000;
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
    // The other process may have ended, which is how every test ends.
    peer.onEvent = (event) => void hear(event).catch(() => undefined);
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

  test.each(isLong ? ['another one'] : [])(
    'is told under the new address soon after the provider gave the home %s',
    async () => {
      await using lab = await NetworkLab.start({ a: 'cone', b: 'open', c: 'open' });
      const [anna, ben, cara] = [await peerAt(lab, 'a1'), await peerAt(lab, 'b1'), await peerAt(lab, 'c1')];
      const home = lab.home('a');
      await home.forward(anna.dataPort, 1);
      await acquaint(anna, ben, cara);
      const told = (): string[] => {
        const last = anna.events.findLast((event) => event.kind === 'candidates');
        return last?.kind === 'candidates' ? last.endpoints : [];
      };
      const at = (host: string): string => `${host}:${anna.dataPort}`;
      const before = at(home.outside);
      await until('a member came in', () => told().includes(before));
      const now = at(await home.changeAddress());
      const start = performance.now();
      // As the engine says when the server is there again.
      await anna.client.networkChanged();
      await until('the new address', () => told().includes(now), MINUTE_MS);
      await until('the old one is gone', () => !told().includes(before), MINUTE_MS);
      console.log(`a forwarded port at a new address: ${Math.round(performance.now() - start)} ms`);
      expect(told()).toContain(now);
    },
  );
});
