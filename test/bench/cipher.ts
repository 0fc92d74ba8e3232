import { cipherRange } from '../../src/torrent/cipher.ts';
import { PieceBuffers } from '../../src/torrent/piece-buffers.ts';
import { runPieceJob } from '../../src/torrent/piece-crypto.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, GIB, runBench } from './parts/report.ts';

/** AES-256-GCM, with its tag, of pieces as they are sent and as they are written, alone: no digest, no file, no network. */
const BAR: Bar = { op: '<=', value: 0.4, of: 'ours' };
const PIECE = 2 ** 20;

const buffers = new PieceBuffers();
const key = new Uint8Array(32).fill(7);
const [from, into] = [buffers.take(PIECE), buffers.take(PIECE)];

type Work = (offset: number) => void;
const work = (kind: 'lock' | 'unlock'): Work => {
  return (offset) => void runPieceJob({ kind, from, into, key, plainKey: key, offset, digested: false });
};
/** Where the crypto library does not give our key stream by GCM (`piece-cipher.ts`); the same for both sides. */
const fallBack: Work = (offset) => void cipherRange(key, offset, from, into);

function cpuOf(each: Work, bytes: number): number {
  const before = process.cpuUsage();
  for (let offset = 0; offset < bytes; offset += PIECE) each(offset);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / (bytes / GIB);
}

function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  const line = (name: string, each: Work, bar: Bar | null): BenchResult => {
    // Not counted: code that has run a while is compiled.
    cpuOf(each, 64 * PIECE);
    const samples = Array.from({ length: rounds }, () => ({ ours: cpuOf(each, bytes), peer: null }));
    return compare({ name: `${name}, CPU`, unit: 's/GiB', peerName: null, samples, bar });
  };
  return Promise.resolve([
    line('what is sent', work('lock'), BAR),
    line('what is written', work('unlock'), BAR),
    line('either by the fall-back, counter mode', fallBack, null),
  ]);
}

await runBench('cipher', measure, { rounds: 5 });
