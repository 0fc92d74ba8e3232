import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestItem } from '../integration/swarm-peer.ts';
import { newEpoch, newSphere, randomFile, receive, share, SwarmPeer, until } from '../integration/swarm-peer.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';

/** How far a transfer is from its limit over half a minute, at either end. */
const BAR: Bar = { op: '<=', value: 5, of: 'ours' };
const RATES = [1, 5, 20] as const;
const MB = 1_000_000;
const SETTLE_MS = 2_000;
const MEASURE_MS = 30_000;
const PIECE_LENGTH = 64 * 1024;
const LIMIT_MS = 120_000;

/** The next moment at which more is told to be there. */
async function nextHave(peer: SwarmPeer, item: TestItem): Promise<{ ms: number; bytes: number }> {
  const before = peer.bytesHave(item.infoHash);
  await until('more arrives', () => peer.bytesHave(item.infoHash) > before, LIMIT_MS);
  return { ms: performance.now(), bytes: peer.bytesHave(item.infoHash) };
}

/** Bytes per second of a transfer that one end holds to `rate`. */
async function measureRate(rate: number, end: 'up' | 'down', folder: string): Promise<number> {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  const limits = { up: 0, down: 0, [end]: rate };
  await using seed = await SwarmPeer.start({ address: '127.0.0.1', ...(end === 'up' ? { limits } : {}) });
  await using leech = await SwarmPeer.start({ address: '127.0.0.2', ...(end === 'down' ? { limits } : {}) });
  await seed.joinSphere(sphere, epochs, [leech]);
  await leech.joinSphere(sphere, epochs, [seed]);
  const bytes = Math.ceil((rate * (2 * SETTLE_MS + MEASURE_MS)) / 1000) + 16 * MB;
  const path = await randomFile(join(folder, 'film.mp4'), bytes);
  const item = await share(seed, sphere, path, PIECE_LENGTH);
  await leech.learn(sphere, seed);
  await receive(leech, sphere, item, folder);
  await nextHave(leech, item);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const first = await nextHave(leech, item);
  await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
  const last = await nextHave(leech, item);
  return (last.bytes - first.bytes) / ((last.ms - first.ms) / 1000);
}

async function measure({ rounds }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const end of ['up', 'down'] as const) {
    for (const rate of RATES) {
      const samples: { ours: number; peer: null }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const folder = await mkdtemp(join(tmpdir(), 'bench-limits-'));
        const got = await measureRate(rate * MB, end, folder);
        await rm(folder, { recursive: true });
        samples.push({ ours: Math.abs(got / (rate * MB) - 1) * 100, peer: null });
      }
      const name = `${end === 'up' ? 'sending' : 'receiving'} at ${rate} MB/s, off by`;
      results.push(compare({ name, unit: '%', peerName: null, samples, bar: BAR }));
    }
  }
  return results;
}

await runBench('limits', measure, { rounds: 5 });
