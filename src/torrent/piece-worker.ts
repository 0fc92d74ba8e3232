import { parentPort } from 'node:worker_threads';
import type { PieceJob } from './piece-crypto.ts';
import { runPieceJob } from './piece-crypto.ts';

/**
 * The entry of a thread that enciphers, deciphers and hashes pieces. Its first message is null: it has started. The
 * answers after that come in the order of the jobs.
 */
parentPort?.on('message', (job: PieceJob) => parentPort?.postMessage(runPieceJob(job)));
parentPort?.postMessage(null);
