import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dialRaw } from '../integration/raw-peer.ts';
import {
  newEpoch,
  newSphere,
  randomFile,
  receive,
  sha256,
  share,
  SwarmPeer,
  TestDevice,
  until,
} from '../integration/swarm-peer.ts';
import { freePort } from '../fixtures/free-port.ts';
import { hasMemory, MEMORY } from './parts/memory-folder.ts';
import type { Bar, BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, GIB, MissingPeer, runBench } from './parts/report.ts';

/**
 * One item from one swarm process to another, encrypted and checked before it is served, beside libtorrent to
 * libtorrent in the clear: files in memory, and on the disk. What one TCP stream can do is printed beside.
 */
const FASTER: Bar = { op: '>=', value: 1.25, of: 'ratio' };
const FASTER_PLAIN: Bar = { op: '>=', value: 1.4, of: 'ratio' };
const NOT_DEARER: Bar = { op: '<=', value: 1.15, of: 'ratio' };
const FLOOR = fileURLToPath(new URL('./parts/tcp-floor.ts', import.meta.url));
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

/** Ours have it in `wall` too. */
interface OurMeasured extends Measured {
  /** Milliseconds from the call of a member to its admission, over TCP. */
  readonly admission: number;
}

/** CPU seconds a process has used, all threads. */
function cpuOf(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function requireSame(path: string, digest: string): Promise<void> {
  if ((await sha256(path)) !== digest) throw new Error('the received file differs from the original');
}

async function measureOurs(path: string, folder: string, digest: string, encrypted: boolean): Promise<OurMeasured> {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  await using seed = await SwarmPeer.start({ address: '127.0.0.1' });
  await using leech = await SwarmPeer.start({ address: '127.0.0.2' });
  const caller = new TestDevice();
  const devices = [seed.device.key, leech.device.key, caller.key];
  await seed.client.setSphere({ sphereId: sphere, epochs, devices });
  await leech.joinSphere(sphere, epochs, [seed]);
  const key = encrypted ? new Uint8Array(randomBytes(32)) : null;
  const item = await share(seed, sphere, path, PIECE_LENGTH, key);
  const who = { device: caller, sphereId: sphere, epoch: epochs[0] ?? newEpoch(), listed: devices };
  const called = performance.now();
  const { socket } = await dialRaw(seed.endpoint, who, { infoHash: item.infoHash });
  const admission = performance.now() - called;
  socket.destroy();
  const [seedBefore, leechBefore] = [cpuOf(seed.child), cpuOf(leech.child)];
  const start = performance.now();
  await leech.learn(sphere, seed);
  const received = await receive(leech, sphere, item, folder);
  await until('the transfer is complete', () => leech.state(item.infoHash) === 'complete', LIMIT_MS);
  const measured = {
    wall: (performance.now() - start) / 1000,
    seedCpu: cpuOf(seed.child) - seedBefore,
    leechCpu: cpuOf(leech.child) - leechBefore,
    admission,
  };
  await requireSame(received, digest);
  await rm(received);
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
    await rm(join(folder, 'film.mp4'));
    return { wall: leech.wall, seedCpu: cpu, leechCpu: leech.cpu, name: leech.name };
  } finally {
    seed.kill('SIGKILL');
  }
}

/** MB/s of one TCP stream between two processes that read, send, receive, hash and write, and do nothing else. */
async function measureFloor(path: string, folder: string, bytes: number): Promise<number> {
  const { stdout } = await run(process.execPath, [FLOOR, path, join(folder, 'floor')], { timeout: LIMIT_MS });
  await rm(join(folder, 'floor'));
  return bytes / 1e6 / Number(stdout);
}

interface Round {
  readonly peer: Measured & { readonly name: string };
  readonly encrypted: OurMeasured;
  readonly plain: OurMeasured;
  readonly floor: number;
}

async function inFolder(root: string, bytes: number, rounds: number): Promise<Round[]> {
  const folder = await mkdtemp(join(root, 'bench-transfer-'));
  try {
    const path = await randomFile(join(folder, 'film.mp4'), bytes);
    const digest = await sha256(path);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const target = join(folder, `round-${round}`);
      await mkdir(target);
      measured.push({
        peer: await measurePeer(path, target, digest),
        encrypted: await measureOurs(path, target, digest, true),
        plain: await measureOurs(path, target, digest, false),
        floor: await measureFloor(path, target, bytes),
      });
    }
    return measured;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function lines(rounds: readonly Round[], what: string, bytes: number, bars: boolean): BenchResult[] {
  const peerName = rounds[0]?.peer.name ?? null;
  const samples = (of: 'encrypted' | 'plain', read: (measured: Measured) => number): Sample[] =>
    rounds.map((round) => ({ ours: read(round[of]), peer: read(round.peer) }));
  const speed = ({ wall }: Measured): number => bytes / 1e6 / wall;
  const cpu = ({ seedCpu, leechCpu }: Measured): number => (seedCpu + leechCpu) / (bytes / GIB);
  const line = (name: string, unit: string, taken: Sample[], bar: Bar | null): BenchResult =>
    compare({ name: `${what}: ${name}`, unit, peerName, samples: taken, bar: bars ? bar : null });
  return [
    line('encrypted', 'MB/s', samples('encrypted', speed), FASTER),
    line('encrypted, CPU of both sides', 's/GiB', samples('encrypted', cpu), NOT_DEARER),
    line(
      'encrypted, sending CPU',
      's/GiB',
      samples('encrypted', ({ seedCpu }) => seedCpu / (bytes / GIB)),
      null,
    ),
    line(
      'encrypted, receiving CPU',
      's/GiB',
      samples('encrypted', ({ leechCpu }) => leechCpu / (bytes / GIB)),
      null,
    ),
    line('plain', 'MB/s', samples('plain', speed), FASTER_PLAIN),
    line('plain, CPU of both sides', 's/GiB', samples('plain', cpu), null),
    compare({
      name: `${what}: admission of a member, in the encrypted transfer too`,
      unit: 'ms',
      peerName: null,
      samples: rounds.map(({ encrypted }) => ({ ours: encrypted.admission, peer: null })),
    }),
    compare({
      name: `${what}: one TCP stream`,
      unit: 'MB/s',
      peerName: null,
      samples: rounds.map(({ floor }) => ({ ours: floor, peer: null })),
    }),
  ];
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  try {
    await run(PYTHON, [PEER]);
  } catch {
    throw new MissingPeer('libtorrent is missing: install python3-libtorrent (Debian, Ubuntu) and run the bench again');
  }
  const disk = await inFolder(tmpdir(), bytes, rounds);
  if (!(await hasMemory())) return lines(disk, 'on the disk', bytes, true);
  const memory = await inFolder(MEMORY, bytes, rounds);
  return [...lines(memory, 'in memory', bytes, true), ...lines(disk, 'on the disk', bytes, false)];
}

await runBench('transfer', measure, { rounds: 5 });
