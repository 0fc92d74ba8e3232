import { Worker } from 'node:worker_threads';
import { AppError } from '../base/errors.ts';
import type { FromWorker, HashJob, ToWorker } from './hash-job.ts';
import { cancelFlag } from './hash-job.ts';
import { pieceCount } from './metainfo.ts';

interface Slot {
  readonly worker: Worker;
  /** Jobs this worker has been told about. */
  readonly opened: Set<number>;
  /** Answers still to come. */
  pending: number;
}

interface Running {
  readonly job: HashJob;
  readonly batch: number;
  readonly count: number;
  readonly onFinished: (pieces: number) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  next: number;
  pending: number;
  /** Pieces from the first on that have their digests. */
  finished: number;
  /** Runs that ended before one in front of them: their first piece, and how many they are. */
  readonly ahead: Map<number, number>;
}

/** Where a job begins, and who hears how many pieces, counted from the very first, have their digests. */
export interface HashStretch {
  readonly first: number;
  readonly onFinished: (pieces: number) => void;
}

/** Pieces are handed out in runs of about this size: large enough to keep one key stream, small enough to take turns. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** One run in work and one waiting, so that a busy main thread does not leave a worker idle. */
const QUEUE_DEPTH = 2;

/** Worker threads that take runs of pieces from all jobs in turn, so that a photo does not wait for a film. */
export class HashPool implements AsyncDisposable {
  readonly #size: number;
  readonly #url: URL;
  readonly #slots: Slot[] = [];
  readonly #jobs = new Map<number, Running>();
  #closed = false;

  constructor(deps: { workers: number; url: URL }) {
    this.#size = deps.workers;
    this.#url = deps.url;
  }

  /** Resolves when every piece has its digest; after an abort the workers stop at their next read. */
  async run(job: HashJob, { first, onFinished }: HashStretch, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw new AppError('cancelled', 'the hasher is closed');
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const batch = Math.max(1, Math.floor(BATCH_BYTES / job.pieceLength));
    const count = pieceCount(job);
    if (first >= count) return;
    const begun = { next: first, pending: 0, finished: first, ahead: new Map<number, number>() };
    this.#jobs.set(job.id, { job, batch, count, onFinished, resolve, reject, ...begun });
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#pump();
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      Atomics.store(cancelFlag(job.control), 0, 1);
      this.#jobs.delete(job.id);
      for (const slot of this.#slots) if (slot.opened.delete(job.id)) post(slot, { kind: 'close', id: job.id });
    }
  }

  #pump(): void {
    for (;;) {
      const running = this.#nextJob();
      if (running === undefined) return;
      const slot = this.#freeSlot();
      if (slot === undefined) return;
      this.#give(slot, running);
    }
  }

  #nextJob(): Running | undefined {
    return this.#jobs.values().find((running) => running.next < running.count);
  }

  #freeSlot(): Slot | undefined {
    const least = this.#slots.toSorted((a, b) => a.pending - b.pending)[0];
    if (least?.pending === 0) return least;
    if (this.#slots.length < this.#size) return this.#spawn();
    return least !== undefined && least.pending < QUEUE_DEPTH ? least : undefined;
  }

  #give(slot: Slot, running: Running): void {
    const { job } = running;
    if (!slot.opened.has(job.id)) {
      slot.opened.add(job.id);
      post(slot, { kind: 'open', job });
    }
    const count = Math.min(running.batch, running.count - running.next);
    post(slot, { kind: 'run', id: job.id, first: running.next, count });
    running.next += count;
    // To the end of the line: jobs take turns.
    this.#jobs.delete(job.id);
    this.#jobs.set(job.id, running);
    running.pending += 1;
    slot.pending += 1;
    // Idle workers must not keep the process alive, working ones must.
    slot.worker.ref();
  }

  #spawn(): Slot {
    const worker = new Worker(this.#url, { name: 'hasher', execArgv: [], stdin: false });
    const slot: Slot = { worker, opened: new Set(), pending: 0 };
    worker.on('message', (message: FromWorker) => this.#onAnswer(slot, message));
    worker.on('error', (error) => this.#onDeath(slot, error));
    worker.on('exit', () => this.#onDeath(slot, undefined));
    worker.unref();
    this.#slots.push(slot);
    return slot;
  }

  #onAnswer(slot: Slot, { id, first, count, failure }: FromWorker): void {
    slot.pending -= 1;
    if (slot.pending === 0) slot.worker.unref();
    const running = this.#jobs.get(id);
    if (running !== undefined) {
      running.pending -= 1;
      if (failure !== null) {
        running.reject(new AppError(failure.code, failure.message, failure.details, failure.cause));
      } else {
        finish(running, first, count);
        if (running.finished >= running.count) running.resolve();
      }
    }
    this.#pump();
  }

  #onDeath(slot: Slot, cause: unknown): void {
    const index = this.#slots.indexOf(slot);
    if (index === -1) return;
    this.#slots.splice(index, 1);
    for (const id of slot.opened) {
      this.#jobs.get(id)?.reject(new AppError('internal', 'a hashing thread ended', {}, cause));
    }
    this.#pump();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const running of this.#jobs.values()) running.reject(new AppError('cancelled', 'the hasher is closed'));
    await Promise.all(this.#slots.splice(0).map((slot) => slot.worker.terminate()));
  }
}

function finish(running: Running, first: number, count: number): void {
  const { ahead } = running;
  ahead.set(first, count);
  for (let next = ahead.get(running.finished); next !== undefined; next = ahead.get(running.finished)) {
    ahead.delete(running.finished);
    running.finished += next;
  }
  running.onFinished(running.finished);
}

function post(slot: Slot, message: ToWorker): void {
  slot.worker.postMessage(message);
}
