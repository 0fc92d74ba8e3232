import { execFile } from 'node:child_process';
import { hash, randomFillSync } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/base/system-clock.ts';
import { Hasher } from '../../src/torrent/hasher.ts';
import type { BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { GIB, MissingPeer, compare, runBench } from './parts/report.ts';
import { PieceTags } from '../../src/torrent/piece-tags.ts';
import { systemRandom } from '../../src/base/random.ts';

/** Hashing and encrypting a file for sharing, beside libtorrent and mktorrent hashing it without encryption. */
const PYTHON = '/usr/bin/python3';
const PEER = fileURLToPath(new URL('./parts/hash-with-libtorrent.py', import.meta.url));
const PIECE_LENGTH = 2 ** 20;
const CHUNK = 16 * 2 ** 20;
/** At most 0.9 of the peer's time. */
const SPEED_BAR = { op: '>=', value: 1 / 0.9, of: 'ratio' } as const;
const CPU_BAR = { op: '<=', value: 1.3, of: 'ratio' } as const;
/** What the stop watch of bash prints: seconds of wall, user and system time. */
const TIMED = 'TIMEFORMAT="%R %U %S"; time mktorrent -l 20 -t 2 -o "$2" "$1" >/dev/null';
const run = promisify(execFile);

/** Seconds. */
interface Measured {
  readonly wall: number;
  readonly cpu: number;
  /** SHA-256 in hex of the piece digests. */
  readonly digest: string;
}

async function requirePeer(): Promise<void> {
  try {
    await run(PYTHON, [PEER]);
  } catch {
    throw new MissingPeer('libtorrent is missing: install python3-libtorrent (Debian, Ubuntu) and run the bench again');
  }
  try {
    await run('mktorrent', ['-h']);
  } catch {
    throw new MissingPeer('mktorrent is missing: install it and run the bench again');
  }
}

async function measureMktorrent(path: string): Promise<Omit<Measured, 'digest'>> {
  const torrent = `${path}.torrent`;
  const { stderr } = await run('bash', ['-c', TIMED, 'bash', path, torrent]);
  await rm(torrent);
  const [wall = 0, user = 0, system = 0] = stderr.trim().split(/\s+/).map(Number);
  return { wall, cpu: user + system };
}

async function measurePeer(path: string): Promise<Measured & { readonly name: string }> {
  const { stdout } = await run(PYTHON, [PEER, path, String(PIECE_LENGTH)]);
  return JSON.parse(stdout) as Measured & { name: string };
}

async function measureOurs(
  hasher: Hasher,
  path: string,
  bytes: number,
  mediaKey: Uint8Array | null,
): Promise<Measured> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const segment = { kind: 'file', offset: 0, length: bytes, path, root: null, identity: null } as const;
  const request = { segments: [segment], length: bytes, pieceLength: PIECE_LENGTH, mediaKey };
  const { pieces } = await hasher.hash(request, () => undefined, new AbortController().signal);
  const wall = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wall, cpu: (user + system) / 1e6, digest: hash('sha256', pieces) };
}

/** Nothing of the file is left in memory: the next one reads it from the disk. */
async function forget(path: string): Promise<void> {
  await run('sync', [path]);
  await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
}

async function makeFile(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'w');
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; at < bytes; at += CHUNK) {
    randomFillSync(chunk);
    await file.write(chunk, 0, Math.min(CHUNK, bytes - at));
  }
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  await requirePeer();
  const folder = await mkdtemp(join(tmpdir(), 'bench-share-'));
  try {
    const path = join(folder, 'film.mp4');
    await makeFile(path, bytes);
    const mediaKey = randomFillSync(new Uint8Array(32));
    await using hasher = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom) });
    // Not counted: the swarm process has its threads from the first item on, as the peer's interpreter is not counted.
    await measureOurs(hasher, path, bytes, mediaKey);
    const samples: Record<'speed' | 'cpu' | 'coldSpeed' | 'plainSpeed' | 'plainCpu' | 'mkSpeed' | 'mkCpu', Sample[]> = {
      speed: [],
      cpu: [],
      coldSpeed: [],
      plainSpeed: [],
      plainCpu: [],
      mkSpeed: [],
      mkCpu: [],
    };
    let peerName: string | null = null;
    const speed = (a: { wall: number }, b: { wall: number }): Sample => ({
      ours: bytes / 1e6 / a.wall,
      peer: bytes / 1e6 / b.wall,
    });
    const cpu = (a: { cpu: number }, b: { cpu: number }): Sample => ({
      ours: a.cpu / (bytes / GIB),
      peer: b.cpu / (bytes / GIB),
    });
    for (let round = 0; round < rounds; round += 1) {
      const peer = await measurePeer(path);
      const ours = await measureOurs(hasher, path, bytes, mediaKey);
      const mktorrent = await measureMktorrent(path);
      const plain = await measureOurs(hasher, path, bytes, null);
      await forget(path);
      const coldPeer = await measurePeer(path);
      await forget(path);
      const cold = await measureOurs(hasher, path, bytes, mediaKey);
      if (plain.digest !== peer.digest) throw new Error('the digests differ from those of the peer');
      peerName = peer.name;
      samples.speed.push(speed(ours, peer));
      samples.cpu.push(cpu(ours, peer));
      samples.coldSpeed.push(speed(cold, coldPeer));
      samples.plainSpeed.push(speed(plain, peer));
      samples.plainCpu.push(cpu(plain, peer));
      samples.mkSpeed.push(speed(ours, mktorrent));
      samples.mkCpu.push(cpu(ours, mktorrent));
    }
    const mktorrent = { peerName: 'mktorrent -t 2' };
    return [
      compare({ name: 'hash and encrypt', unit: 'MB/s', peerName, samples: samples.speed, bar: SPEED_BAR }),
      compare({ name: 'hash and encrypt, CPU', unit: 's/GiB', peerName, samples: samples.cpu, bar: CPU_BAR }),
      compare({ name: 'hash and encrypt, from the disk', unit: 'MB/s', peerName, samples: samples.coldSpeed }),
      compare({ name: 'hash a plain item', unit: 'MB/s', peerName, samples: samples.plainSpeed }),
      compare({ name: 'hash a plain item, CPU', unit: 's/GiB', peerName, samples: samples.plainCpu }),
      compare({ name: 'hash and encrypt', unit: 'MB/s', ...mktorrent, samples: samples.mkSpeed }),
      compare({ name: 'hash and encrypt, CPU', unit: 's/GiB', ...mktorrent, samples: samples.mkCpu }),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

await runBench('share', measure, { bytes: 4 * GIB, rounds: 5 });
