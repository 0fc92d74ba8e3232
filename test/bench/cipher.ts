import { PieceBuffers } from '../../src/torrent/piece-buffers.ts';
import { runPieceJob } from '../../src/torrent/piece-crypto.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, GIB, runBench } from './parts/report.ts';

/** AES-256-GCM, with its tag, of pieces as they are sent and as they are written, alone: no digest, no file, no network. */
const BAR: Bar = { op: '<=', value: 0.4, of: 'ours' };
const PIECE = 2 ** 20;

function cpuOf(kind: 'lock' | 'unlock', bytes: number): number {
  const buffers = new PieceBuffers();
  const key = new Uint8Array(32).fill(7);
  const job = { kind, from: buffers.take(PIECE), into: buffers.take(PIECE), key, plainKey: key };
  const before = process.cpuUsage();
  for (let offset = 0; offset < bytes; offset += PIECE) runPieceJob({ ...job, offset, digested: false });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / (bytes / GIB);
}

function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  // Not counted: code that has run a while is compiled.
  cpuOf('lock', 64 * PIECE);
  const sides = { 'what is sent': 'lock', 'what is written': 'unlock' } as const;
  const results = Object.entries(sides).map(([name, kind]) => {
    const samples = Array.from({ length: rounds }, () => ({ ours: cpuOf(kind, bytes), peer: null }));
    return compare({ name: `${name}, CPU`, unit: 's/GiB', peerName: null, samples, bar: BAR });
  });
  return Promise.resolve(results);
}

await runBench('cipher', measure, { rounds: 5 });
