import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  newEpoch,
  newSphere,
  randomFile,
  receive,
  sha256,
  share,
  SwarmPeer,
  until,
} from '../integration/swarm-peer.ts';
import type { BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, GIB, MissingPeer, runBench } from './parts/report.ts';

/** One item from one swarm process to another, encrypted on the way, beside libtorrent to libtorrent in the clear. */
const PYTHON = '/usr/bin/python3';
const PEER = fileURLToPath(new URL('./parts/transfer-with-libtorrent.py', import.meta.url));
const PIECE_LENGTH = 2 ** 20;
const TICKS_PER_SECOND = 100;
const LIMIT_MS = 600_000;
const run = promisify(execFile);

/** Seconds; CPU of both ends together while the transfer ran. */
interface Measured {
  readonly wall: number;
  readonly seedCpu: number;
  readonly leechCpu: number;
}

/** CPU seconds a process has used, all threads. */
function cpuOf(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function requireSame(path: string, digest: string): Promise<void> {
  if ((await sha256(path)) !== digest) throw new Error('the received file differs from the original');
}

async function measureOurs(path: string, folder: string, digest: string): Promise<Measured> {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  await using seed = await SwarmPeer.start({ address: '127.0.0.1' });
  await using leech = await SwarmPeer.start({ address: '127.0.0.2' });
  await seed.joinSphere(sphere, epochs, [leech]);
  await leech.joinSphere(sphere, epochs, [seed]);
  const item = await share(seed, sphere, path, PIECE_LENGTH);
  const [seedBefore, leechBefore] = [cpuOf(seed.child), cpuOf(leech.child)];
  const start = performance.now();
  await leech.learn(sphere, seed);
  const received = await receive(leech, sphere, item, folder);
  await until('the transfer is complete', () => leech.state(item.infoHash) === 'complete', LIMIT_MS);
  const measured = {
    wall: (performance.now() - start) / 1000,
    seedCpu: cpuOf(seed.child) - seedBefore,
    leechCpu: cpuOf(leech.child) - leechBefore,
  };
  await requireSame(received, digest);
  return measured;
}

async function measurePeer(path: string, folder: string, digest: string): Promise<Measured & { name: string }> {
  const torrent = join(folder, 'peer.torrent');
  const port = await freePort();
  const seed = spawn(PYTHON, [PEER, 'seed', path, torrent, '127.0.0.1', `${port}`, `${PIECE_LENGTH}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: seed.stdout })[Symbol.asyncIterator]();
  try {
    await lines.next();
    const { stdout } = await run(PYTHON, [PEER, 'leech', folder, torrent, '127.0.0.2', `127.0.0.1:${port}`], {
      timeout: LIMIT_MS,
    });
    const leech = JSON.parse(stdout) as { wall: number; cpu: number; name: string };
    seed.kill('SIGTERM');
    const { cpu } = JSON.parse((await lines.next()).value ?? '{}') as { cpu: number };
    await requireSame(join(folder, 'film.mp4'), digest);
    return { wall: leech.wall, seedCpu: cpu, leechCpu: leech.cpu, name: leech.name };
  } finally {
    seed.kill('SIGKILL');
  }
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  try {
    await run(PYTHON, [PEER]);
  } catch {
    throw new MissingPeer('libtorrent is missing: install python3-libtorrent (Debian, Ubuntu) and run the bench again');
  }
  const folder = await mkdtemp(join(tmpdir(), 'bench-transfer-'));
  try {
    const path = await randomFile(join(folder, 'film.mp4'), bytes);
    const digest = await sha256(path);
    const samples: Record<'speed' | 'seedCpu' | 'leechCpu', Sample[]> = { speed: [], seedCpu: [], leechCpu: [] };
    let peerName: string | null = null;
    for (let round = 0; round < rounds; round += 1) {
      const target = join(folder, `round-${round}`);
      await mkdir(target);
      const peer = await measurePeer(path, target, digest);
      const ours = await measureOurs(path, target, digest);
      await rm(target, { recursive: true });
      peerName = peer.name;
      const gib = bytes / GIB;
      samples.speed.push({ ours: bytes / 1e6 / ours.wall, peer: bytes / 1e6 / peer.wall });
      samples.seedCpu.push({ ours: ours.seedCpu / gib, peer: peer.seedCpu / gib });
      samples.leechCpu.push({ ours: ours.leechCpu / gib, peer: peer.leechCpu / gib });
    }
    return [
      compare({ name: 'transfer, encrypted', unit: 'MB/s', peerName, samples: samples.speed }),
      compare({ name: 'sending CPU', unit: 's/GiB', peerName, samples: samples.seedCpu }),
      compare({ name: 'receiving CPU', unit: 's/GiB', peerName, samples: samples.leechCpu }),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

await runBench('transfer', measure);
