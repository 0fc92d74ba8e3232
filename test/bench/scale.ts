import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/system-clock.ts';
import type { SphereId } from '../../src/base/id.ts';
import type { Segment } from '../../src/contract/swarm.ts';
import { Hasher } from '../../src/torrent/hasher.ts';
import { buildMetainfo } from '../../src/torrent/metainfo.ts';
import type { AddedTorrent } from '../integration/swarm-peer.ts';
import { bytes, fullBitfield, newEpoch, newSphere, SwarmPeer, TestDevice } from '../integration/swarm-peer.ts';
import type { EngineStart } from './parts/engine-start.ts';
import { measureEngineStarts } from './parts/engine-start.ts';
import { cpuOf, memoryOf } from './parts/process-use.ts';
import type { BenchOptions, BenchResult } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';
import { PieceTags } from '../../src/torrent/piece-tags.ts';
import { systemRandom } from '../../src/base/random.ts';

/**
 * A swarm process that seeds a thousand items nobody asks for: its start, and what it costs while it waits. Items that
 * are only listed cost it nothing, however many: it does not hear of them.
 */
const ITEMS = 1000;
const LISTED = 10_000;
const ITEM_BYTES = 10_000;
const PIECE_LENGTH = 256 * 1024;
/** The start is over when libraries are loaded and every file was looked at once. */
const SETTLE_SECONDS = 15;
/** What is looked at after that: announces come at most every 100 ms. */
const IDLE_SECONDS = 20;
const BARS: Record<keyof Measured, number | null> = {
  start: 1.5,
  startCpu: null,
  memory: 200,
  cpu: 1,
  sockets: 20,
  announces: 12,
  cpuBeside: 1,
  cpuOfOther: 1,
};

/** As many as the engine puts into one message. */
const TOGETHER = 500;

interface Measured {
  readonly start: number;
  /** Processor seconds of the same. */
  readonly startCpu: number;
  readonly memory: number;
  readonly cpu: number;
  readonly sockets: number;
  readonly announces: number;
  /** The same while a member is there who has none of the items and wants none. */
  readonly cpuBeside: number;
  /** What the items cost that member. */
  readonly cpuOfOther: number;
}

async function makeSpecs(folder: string, sphereId: SphereId): Promise<AddedTorrent[]> {
  await using hasher = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom) });
  const specs: AddedTorrent[] = [];
  for (let index = 0; index < ITEMS; index += 1) {
    const path = join(folder, `${index}.jpg`);
    await writeFile(path, randomBytes(ITEM_BYTES));
    const mediaKey = bytes(32);
    const file = { kind: 'file', offset: 0, length: ITEM_BYTES, path, root: null } as const;
    const plan: Segment[] = [{ ...file, identity: null }];
    const request = { segments: plan, length: PIECE_LENGTH, pieceLength: PIECE_LENGTH, mediaKey };
    const { pieces, identities } = await hasher.hash(request, () => undefined, new AbortController().signal);
    const torrent = buildMetainfo({ length: PIECE_LENGTH, pieceLength: PIECE_LENGTH, pieces });
    const segments: Segment[] = [{ ...file, identity: identities[0] ?? null }];
    const rest = { bitfield: fullBitfield(1), paused: false, background: true };
    specs.push({ sphereId, ...torrent, mediaKey, segments, ...rest });
  }
  return specs;
}

/** A member's tracker that notes when it is asked. */
async function countingTracker() {
  const askedMs: number[] = [];
  const server = createServer((_request, response) => {
    askedMs.push(performance.now());
    response.end('d8:intervali1800e5:peers0:e');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { askedMs, server, url: `http://127.0.0.1:${port}/${'0'.repeat(32)}/announce` };
}

function socketsOf({ pid }: ChildProcess): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Closed since the folder was read.
      return '';
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

function busiestSecond(atMs: readonly number[]): number {
  return Math.max(0, ...atMs.map((from) => atMs.filter((at) => at >= from && at < from + 1000).length));
}

/** Processor time of each over the same time, in per cent. */
async function idleCpu(peers: readonly SwarmPeer[]): Promise<number[]> {
  await sleep(SETTLE_SECONDS * 1000);
  const before = peers.map(({ child }) => cpuOf(child));
  const from = performance.now();
  await sleep(IDLE_SECONDS * 1000);
  const seconds = (performance.now() - from) / 1000;
  return peers.map(({ child }, index) => ((cpuOf(child) - (before[index] ?? 0)) / seconds) * 100);
}

async function addSpecs(peer: SwarmPeer, specs: readonly AddedTorrent[]): Promise<void> {
  for (let from = 0; from < specs.length; from += TOGETHER) {
    await peer.client.addAll({ torrents: specs.slice(from, from + TOGETHER) });
  }
}

/** The same items while a member is there who has none of them. */
async function measureBeside(specs: readonly AddedTorrent[], sphereId: SphereId) {
  await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
  await using other = await SwarmPeer.start({ address: '127.0.0.1' });
  const epochs = [newEpoch()];
  await peer.joinSphere(sphereId, epochs, [other]);
  await other.joinSphere(sphereId, epochs, [peer]);
  await addSpecs(peer, specs);
  await peer.learn(sphereId, other);
  await other.learn(sphereId, peer);
  const [cpuBeside = Number.NaN, cpuOfOther = Number.NaN] = await idleCpu([peer, other]);
  return { cpuBeside, cpuOfOther };
}

async function measureOnce(
  specs: readonly AddedTorrent[],
  sphereId: SphereId,
): Promise<Omit<Measured, 'cpuBeside' | 'cpuOfOther'>> {
  const tracker = await countingTracker();
  try {
    const other = new TestDevice().key;
    const before = performance.now();
    await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
    await peer.client.setSphere({ sphereId, epochs: [newEpoch()], devices: [peer.device.key, other] });
    await addSpecs(peer, specs);
    const start = (performance.now() - before) / 1000;
    const startCpu = cpuOf(peer.child);
    const told = { sphereId, device: other, endpoints: [], trackers: [tracker.url] };
    await peer.client.setEndpoints(told);
    const [cpu = Number.NaN] = await idleCpu([peer]);
    const announces = busiestSecond(tracker.askedMs);
    const [memory, sockets] = [memoryOf(peer.child), socketsOf(peer.child)];
    return { start, startCpu, memory, cpu, sockets, announces };
  } finally {
    tracker.server.close();
  }
}

async function measure({ rounds, count }: BenchOptions): Promise<BenchResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-scale-'));
  try {
    const sphereId = newSphere();
    const specs = await makeSpecs(folder, sphereId);
    const all: Measured[] = [];
    for (let round = 0; round < rounds; round += 1) {
      all.push({ ...(await measureOnce(specs, sphereId)), ...(await measureBeside(specs, sphereId)) });
    }
    const engine = await measureEngineStarts({ seeded: Math.min(ITEMS, count), listed: count, rounds });
    const line = (name: string, unit: string, of: keyof Measured): BenchResult => {
      const samples = all.map((one) => ({ ours: one[of], peer: null }));
      const value = BARS[of];
      const bar = value === null ? null : ({ op: '<=', value, of: 'ours' } as const);
      return compare({ name, unit, peerName: null, samples, bar });
    };
    return [
      line(`start with ${ITEMS} items`, 's', 'start'),
      line('processor time of the start', 's', 'startCpu'),
      line('memory of the swarm process', 'MB', 'memory'),
      line('processor while idle', '%', 'cpu'),
      line('sockets while idle', 'sockets', 'sockets'),
      line('announces in the busiest second', 'announces', 'announces'),
      line('processor while idle, beside a member who lacks all', '%', 'cpuBeside'),
      line('processor of that member', '%', 'cpuOfOther'),
      ...engineLines(engine, count),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function engineLines(starts: readonly EngineStart[], count: number): BenchResult[] {
  const line = (name: string, unit: string, of: keyof EngineStart, most: number | null): BenchResult => {
    const samples = starts.map((one) => ({ ours: one[of], peer: null }));
    const bar = most === null ? null : ({ op: '<=', value: most, of: 'ours' } as const);
    return compare({ name, unit, peerName: null, samples, bar });
  };
  return [
    line(`engine start with ${count.toLocaleString('en')} items`, 's', 'start', BARS.start),
    line('processor time of it', 's', 'startCpu', null),
    line('what a page gets of them', 'MB', 'snapshot', null),
    line('a page that is opened later waits', 's', 'again', null),
    line('memory of the engine', 'MB', 'memory', null),
    line('processor of the engine while idle', '%', 'cpu', BARS.cpu),
  ];
}

await runBench('scale', measure, { count: LISTED, rounds: 5 });
