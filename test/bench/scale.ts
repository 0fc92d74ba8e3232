import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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
import type { BenchOptions, BenchResult } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';

/**
 * A swarm process that seeds a thousand items nobody asks for: its start, and what it costs while it waits. Items that
 * are only listed cost it nothing, however many: it does not hear of them.
 */
const ITEMS = 1000;
const ITEM_BYTES = 10_000;
const PIECE_LENGTH = 256 * 1024;
/** The start is over when libraries are loaded and every file was looked at once. */
const SETTLE_SECONDS = 15;
/** What is looked at after that: announces come at most every 100 ms. */
const IDLE_SECONDS = 20;
const TICKS_PER_SECOND = 100;
const BARS: Record<keyof Measured, number | null> = {
  start: 1.5,
  startCpu: null,
  memory: 200,
  cpu: 1,
  sockets: 20,
  announces: 12,
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
}

async function makeSpecs(folder: string, sphereId: SphereId): Promise<AddedTorrent[]> {
  await using hasher = new Hasher({ clock: systemClock });
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

function cpuOf({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
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

function memoryOf({ pid }: ChildProcess): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

function busiestSecond(atMs: readonly number[]): number {
  return Math.max(0, ...atMs.map((from) => atMs.filter((at) => at >= from && at < from + 1000).length));
}

async function measureOnce(specs: readonly AddedTorrent[], sphereId: SphereId): Promise<Measured> {
  const tracker = await countingTracker();
  try {
    const other = new TestDevice().key;
    const before = performance.now();
    await using peer = await SwarmPeer.start({ address: '127.0.0.1' });
    await peer.client.setSphere({ sphereId, epochs: [newEpoch()], devices: [peer.device.key, other] });
    for (let from = 0; from < specs.length; from += TOGETHER) {
      await peer.client.addAll({ torrents: specs.slice(from, from + TOGETHER) });
    }
    const start = (performance.now() - before) / 1000;
    const startCpu = cpuOf(peer.child);
    const told = { sphereId, device: other, endpoints: [], trackers: [tracker.url] };
    await peer.client.setEndpoints(told);
    await sleep(SETTLE_SECONDS * 1000);
    const cpuBefore = cpuOf(peer.child);
    const idleFrom = performance.now();
    await sleep(IDLE_SECONDS * 1000);
    const seconds = (performance.now() - idleFrom) / 1000;
    const cpu = ((cpuOf(peer.child) - cpuBefore) / seconds) * 100;
    const announces = busiestSecond(tracker.askedMs);
    return { start, startCpu, memory: memoryOf(peer.child), cpu, sockets: socketsOf(peer.child), announces };
  } finally {
    tracker.server.close();
  }
}

async function measure({ rounds }: BenchOptions): Promise<BenchResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-scale-'));
  try {
    const sphereId = newSphere();
    const specs = await makeSpecs(folder, sphereId);
    const all: Measured[] = [];
    for (let round = 0; round < rounds; round += 1) all.push(await measureOnce(specs, sphereId));
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
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

await runBench('scale', measure);
