import { parentPort } from 'node:worker_threads';
import { AppError } from '../base/errors.ts';
import type { FromWorker, HashFailure, ToWorker } from './hash-job.ts';
import { PieceHasher } from './hash-pieces.ts';

/** The entry of a hashing thread. Batches of several jobs may come interleaved. */
const jobs = new Map<number, PieceHasher>();

function run({ id, first, count }: ToWorker & { kind: 'run' }): FromWorker {
  try {
    jobs.get(id)?.run(first, count);
    return { id, first, count, failure: null };
  } catch (error) {
    return { id, first, count, failure: describe(error) };
  }
}

function describe(error: unknown): HashFailure {
  if (!(error instanceof AppError)) return { code: 'internal', message: String(error), details: {}, cause: error };
  return { code: error.code, message: error.message, details: error.details, cause: error.cause };
}

parentPort?.on('message', (message: ToWorker) => {
  if (message.kind === 'open') jobs.set(message.job.id, new PieceHasher(message.job));
  else if (message.kind === 'close') jobs.delete(message.id);
  else parentPort?.postMessage(run(message));
});
