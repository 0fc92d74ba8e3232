import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { FileSegment } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';
import { cipherKey } from './cipher.ts';
import { readIdentity, sameIdentity } from './file-identity.ts';
import type { HashJob } from './hash-job.ts';
import { CONTROL_BYTES, doneCounter } from './hash-job.ts';
import { HashPool } from './hash-pool.ts';
import { DIGEST_BYTES, checkGeometry, pieceCount } from './metainfo.ts';

export interface HashRequest {
  readonly segments: readonly Segment[];
  /** Of the whole torrent, padding included, in bytes. */
  readonly length: number;
  readonly pieceLength: number;
  /** null = the bytes are hashed as they are. */
  readonly mediaKey: Uint8Array | null;
}

export interface HashResult {
  /** Concatenated SHA-1 of every piece. */
  readonly pieces: Uint8Array<ArrayBuffer>;
  /** In the order of the file segments. */
  readonly identities: FileIdentity[];
}

export interface HasherDeps {
  readonly clock: Clock;
  /** Worker threads; two when left out. */
  readonly workers?: number;
  /** Where the bundler put the worker's entry; the source file beside this one when left out. */
  readonly workerUrl?: URL;
}

const PROGRESS_MS = 250;
/** Files looked at together: enough to hide the latency of a network disk. */
const STAT_BATCH = 32;
const DEFAULT_WORKERS = 2;

/** Encrypts and hashes items in one pass over their files, in worker threads shared by all items. */
export class Hasher implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #pool: HashPool;
  #nextId = 1;

  constructor(deps: HasherDeps) {
    this.#clock = deps.clock;
    this.#pool = new HashPool({
      workers: deps.workers ?? DEFAULT_WORKERS,
      url: deps.workerUrl ?? new URL('./hash-worker.ts', import.meta.url),
    });
  }

  /**
   * Tells the bytes done, padding included, at most four times a second. Fails with `file-changed` when a file
   * is not what its segment says or was touched meanwhile: the caller must then throw the media key away.
   */
  async hash(request: HashRequest, onProgress: (bytesDone: number) => void, signal: AbortSignal): Promise<HashResult> {
    signal.throwIfAborted();
    checkGeometry(request);
    const { files } = new ByteSpace(request.segments, request.length);
    const identities = await lookAt(files, signal);
    files.forEach((file, index) => {
      const now = identities[index];
      if (now?.size !== file.length || !isSame(now, file.identity ?? now)) throw changed(file);
    });
    const job: HashJob = {
      id: this.#nextId++,
      segments: request.segments,
      length: request.length,
      pieceLength: request.pieceLength,
      key: request.mediaKey === null ? null : cipherKey(request.mediaKey),
      identities,
      pieces: new SharedArrayBuffer(pieceCount(request) * DIGEST_BYTES),
      control: new SharedArrayBuffer(CONTROL_BYTES),
    };
    await this.#run(job, onProgress, signal);
    const after = await lookAt(files, signal);
    files.forEach((file, index) => {
      if (!isSame(after[index], identities[index])) throw changed(file);
    });
    return { pieces: new Uint8Array(job.pieces).slice(), identities };
  }

  async #run(job: HashJob, onProgress: (bytesDone: number) => void, signal: AbortSignal): Promise<void> {
    const running = new AbortController();
    const progress = this.#tellProgress(job, onProgress, running.signal);
    try {
      await this.#pool.run(job, signal);
    } finally {
      running.abort();
      await progress;
    }
  }

  async #tellProgress(job: HashJob, onProgress: (bytesDone: number) => void, running: AbortSignal): Promise<void> {
    const counter = doneCounter(job.control);
    let told = 0;
    try {
      for (;;) {
        await this.#clock.sleep(PROGRESS_MS, running);
        const done = Number(Atomics.load(counter, 0));
        if (done !== told) onProgress(done);
        told = done;
      }
    } catch (error) {
      // The end of the run is the only way out of the loop.
      if (!running.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

function isSame(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && sameIdentity(a, b);
}

function changed(file: FileSegment): AppError {
  return new AppError('file-changed', 'a file is not what it was when it was chosen', { path: file.path });
}

async function lookAt(files: readonly FileSegment[], signal: AbortSignal): Promise<FileIdentity[]> {
  const identities: FileIdentity[] = [];
  for (let start = 0; start < files.length; start += STAT_BATCH) {
    signal.throwIfAborted();
    const batch = files.slice(start, start + STAT_BATCH);
    identities.push(...(await Promise.all(batch.map((file) => readIdentity(file.path)))));
  }
  return identities;
}
