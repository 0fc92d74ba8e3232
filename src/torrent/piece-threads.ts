import { availableParallelism } from 'node:os';
import type { PieceCrypto, PieceJob, PieceMarks } from './piece-crypto.ts';
import { runPieceJob } from './piece-crypto.ts';
import { WorkerThreads } from './worker-threads.ts';

const MOST_THREADS = 4;

/**
 * Enciphers, deciphers and hashes pieces beside the thread that talks to peers. Where threads cannot be had, and until
 * the first has started, the work is done here: a piece takes milliseconds, a thread's start up to a second. A job may
 * be done twice without harm: its input is untouched.
 */
export class PieceThreads extends WorkerThreads<PieceJob, PieceMarks> implements PieceCrypto {
  constructor(deps: { threads?: number; url?: URL } = {}) {
    super({
      name: 'pieces',
      url: deps.url ?? new URL('./piece-worker.ts', import.meta.url),
      most: deps.threads ?? Math.min(MOST_THREADS, availableParallelism()),
      here: runPieceJob,
    });
  }
}
