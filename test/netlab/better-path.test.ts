import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Path } from '../../src/contract/swarm.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
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
import { RELAY, startRelay } from './relay.ts';
import { passSignals, peerAt } from './swarm-peers.ts';

const reason = (await whyNoLab()) ?? missingPrograms('turnserver');
if (reason !== undefined) console.warn(`SKIPPED: better paths in the laboratory: ${reason}`);

const MIB = 1024 * 1024;
/** Each step takes the time that a connection needs to be settled; the last one is left to the long run. */
const isLong = process.env['SPHERECAST_LONG'] === '1';
/** Slow enough that the transfer is still under way when the last path is found. */
const SLOW = { up: MIB, down: 0 };
/** A connection has to be settled before a better one of its kind is looked for. */
const PATIENCE_MS = 90_000;

const sphere = newSphere();
const epochs = [newEpoch()];

/** Both are in the sphere, know the relay, and hear each other's signals. */
async function acquaint(anna: SwarmPeer, ben: SwarmPeer): Promise<void> {
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  passSignals(anna, ben);
  for (const peer of [anna, ben]) await peer.client.setIceServers({ servers: RELAY });
  await until('WebRTC is there', () => [anna, ben].every((peer) => peer.network?.webrtc === 'ready'));
}

/** What `who` tells of itself is heard by `to`. */
async function tell(to: SwarmPeer, who: SwarmPeer, endpoints: string[]): Promise<void> {
  await to.client.setEndpoints({ sphereId: sphere, device: who.device.key, endpoints, trackers: [], webrtc: true });
}

describe.skipIf(reason !== undefined)('two members who transfer an item', () => {
  const ways = `the direct way, to an opened port${isLong ? ' and to the same network' : ''}`;
  test(`go from the relay to ${ways}, as each appears, and lose nothing`, async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'better-path-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await using lab = await NetworkLab.start({ a: 'symmetric', b: 'cone' });
    await using relay = await startRelay(lab);
    expect(relay.child.exitCode).toBeNull();
    const [anna, ben] = await Promise.all([peerAt(lab, 'a1', { limits: SLOW }), peerAt(lab, 'b1')]);
    await acquaint(anna, ben);
    const file = await randomFile(path.join(folder, 'film'), 96 * MIB);
    const item = await share(anna, sphere, file);
    const got = await receive(ben, sphere, item, folder);
    await Promise.all([tell(anna, ben, []), tell(ben, anna, [])]);
    const has = (): number => ben.bytesHave(item.infoHash);
    /** The one connection there is goes by that path at both ends, and bytes come by it. */
    const goesBy = async (way: Path): Promise<void> => {
      const start = performance.now();
      await until(way, () => anna.paths.join(' ') === way && ben.paths.join(' ') === way, PATIENCE_MS);
      const [tookMs, had] = [Math.round(performance.now() - start), has()];
      await until(`bytes by ${way}`, () => has() > had + MIB);
      console.log(`${way} after ${tookMs} ms, 1 MiB more after ${Math.round(performance.now() - start - tookMs)} ms`);
    };
    await goesBy('turn');

    await lab.home('a').becomes('cone');
    // Its candidates are others now.
    await Promise.all([tell(ben, anna, [anna.endpoint]), tell(anna, ben, [ben.endpoint])]);
    await goesBy('webrtc');

    await lab.home('b').forward(ben.dataPort, 1);
    await tell(anna, ben, [`${lab.home('b').outside}:${ben.dataPort}`]);
    await goesBy('tcp');

    if (isLong) {
      await lab.home('a').welcome('b1');
      await tell(ben, anna, [anna.endpoint]);
      await goesBy('lan');
    }
    expect(ben.state(item.infoHash)).toBe('downloading');

    await anna.client.setLimits({ up: 0, down: 0 });
    await until('the file', () => ben.state(item.infoHash) === 'complete', PATIENCE_MS);
    expect(await sha256(got)).toBe(await sha256(file));
  });
});
