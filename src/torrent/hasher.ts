import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { inBatches } from '../base/in-batches.ts';
import type { Logger } from '../base/log.ts';
import { silentLogger } from '../base/log.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import type { FileSegment } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';
import { cipherKey } from './cipher.ts';
import { readIdentity, sameIdentity } from './file-identity.ts';
import type { ManyFiles } from './file-thread.ts';
import type { HashJob } from './hash-job.ts';
import { CONTROL_BYTES, doneCounter } from './hash-job.ts';
import { HashPool } from './hash-pool.ts';
import type { HashRequest } from './hash-request.ts';
import { DIGEST_BYTES, checkGeometry, pieceCount } from './metainfo.ts';
import type { PieceTags } from './piece-tags.ts';
import { TAG_BYTES } from './piece-tags.ts';
import { areKnownPieces, KNOWN_REQUEST } from './self-check.ts';
import { stockHash } from './stock-hash.ts';

export interface HashProgress {
  /** Padding included. */
  readonly bytesDone: number;
  /** Digests that follow those told before, without a gap. */
  readonly pieces: Uint8Array<ArrayBuffer>;
}

export interface HashResult {
  /** Concatenated SHA-1 of every piece. */
  readonly pieces: Uint8Array<ArrayBuffer>;
  /** In the order of the file segments. */
  readonly identities: FileIdentity[];
}

export interface HasherDeps {
  readonly clock: Clock;
  /** Learns what was hashed: it needs no second SHA-1 before it is served. */
  readonly tags: PieceTags;
  readonly log?: Logger;
  /** Looks at many files; each is looked at the usual way when left out. */
  readonly files?: ManyFiles;
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
  readonly #tags: PieceTags;
  readonly #log: Logger;
  readonly #files: ManyFiles | undefined;
  #nextId = 1;
  #soundness: Promise<boolean> | null = null;

  constructor(deps: HasherDeps) {
    this.#clock = deps.clock;
    this.#tags = deps.tags;
    this.#log = deps.log ?? silentLogger;
    this.#files = deps.files;
    this.#pool = new HashPool({
      workers: deps.workers ?? DEFAULT_WORKERS,
      url: deps.workerUrl ?? new URL('./hash-worker.ts', import.meta.url),
    });
  }

  /**
   * Tells how far it is at most four times a second. Fails with `file-changed` when a file is not what its segment
   * says or was touched meanwhile: the caller must then throw the media key away. With `known` digests it goes on
   * behind them; they count because every file still has the identity its segment says.
   */
  async hash(
    request: HashRequest,
    onProgress: (progress: HashProgress) => void,
    signal: AbortSignal,
  ): Promise<HashResult> {
    signal.throwIfAborted();
    checkGeometry(request);
    const first = knownDigests(request).length / DIGEST_BYTES;
    const { files } = new ByteSpace(request.segments, request.length);
    const identities = await lookAt(this.#files, files, signal);
    files.forEach((file, index) => {
      const now = identities[index];
      if (now?.size !== file.length || !isSame(now, file.identity ?? now)) throw changed(file);
    });
    const isSound = await this.#isSound(signal);
    const found = isSound
      ? await this.#fast(request, identities, onProgress, signal)
      : { pieces: await this.#stock(request, onProgress, signal), tags: null };
    const after = await lookAt(this.#files, files, signal);
    files.forEach((file, index) => {
      if (!isSame(after[index], identities[index])) throw changed(file);
    });
    const { pieces, tags } = found;
    if (tags !== null) this.#learnTags(pieces, tags, first);
    return { pieces, identities };
  }

  /** Looked at once, with bytes whose digests are known. */
  async #isSound(signal: AbortSignal): Promise<boolean> {
    this.#soundness ??= this.#check();
    return Promise.race([this.#soundness, untilAborted(signal)]);
  }

  async #check(): Promise<boolean> {
    try {
      const { pieces } = await this.#fast(KNOWN_REQUEST, [], () => undefined, new AbortController().signal);
      if (areKnownPieces(pieces)) return true;
      this.#log.error('the hasher gives wrong digests: create-torrent hashes in its place');
    } catch (error) {
      // It is being closed.
      if (errorCode(error) === 'cancelled') return true;
      this.#log.error('the hasher does not work: create-torrent hashes in its place', { error });
    }
    return false;
  }

  /** Begins anew each time: what it finds it tells at the end. */
  async #stock(
    request: HashRequest,
    onProgress: (progress: HashProgress) => void,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    let toldMs = this.#clock.monotonic();
    const onBytes = (bytesDone: number): void => {
      if (this.#clock.monotonic() - toldMs < PROGRESS_MS) return;
      toldMs = this.#clock.monotonic();
      onProgress({ bytesDone, pieces: new Uint8Array() });
    };
    return stockHash(request, onBytes, signal);
  }

  async #fast(
    request: HashRequest,
    identities: readonly FileIdentity[],
    onProgress: (progress: HashProgress) => void,
    signal: AbortSignal,
  ): Promise<{ pieces: Uint8Array<ArrayBuffer>; tags: Uint8Array }> {
    const known = knownDigests(request);
    const job: HashJob = {
      id: this.#nextId++,
      // Identities are told once: a long list takes its time on the way to each thread.
      segments: request.segments.map((part) => (part.kind === 'file' ? { ...part, identity: null } : part)),
      length: request.length,
      pieceLength: request.pieceLength,
      key: request.mediaKey === null ? null : cipherKey(request.mediaKey),
      identities,
      plainKey: this.#tags.plainKey,
      pieces: new SharedArrayBuffer(pieceCount(request) * DIGEST_BYTES),
      tags: new SharedArrayBuffer(pieceCount(request) * TAG_BYTES),
      control: new SharedArrayBuffer(CONTROL_BYTES),
    };
    new Uint8Array(job.pieces).set(known);
    await this.#run(job, known.length / DIGEST_BYTES, onProgress, signal);
    return { pieces: new Uint8Array(job.pieces).slice(), tags: new Uint8Array(job.tags) };
  }

  #learnTags(pieces: Uint8Array, tags: Uint8Array, first: number): void {
    const count = pieces.length / DIGEST_BYTES;
    const list = this.#tags.of(pieces, count);
    for (let index = first; index < count; index += 1) {
      list.set(index, { over: 'sealed', tag: toHex(tags.subarray(index * TAG_BYTES, (index + 1) * TAG_BYTES)) });
    }
  }

  async #run(
    job: HashJob,
    first: number,
    onProgress: (progress: HashProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const running = new AbortController();
    const finished = { pieces: first };
    doneCounter(job.control)[0] = BigInt(Math.min(first * job.pieceLength, job.length));
    const progress = this.#tellProgress(job, finished, onProgress, running.signal);
    try {
      await this.#pool.run(job, { first, onFinished: (pieces) => (finished.pieces = pieces) }, signal);
    } finally {
      running.abort();
      await progress;
    }
  }

  async #tellProgress(
    job: HashJob,
    finished: { readonly pieces: number },
    onProgress: (progress: HashProgress) => void,
    running: AbortSignal,
  ): Promise<void> {
    const counter = doneCounter(job.control);
    const digests = new Uint8Array(job.pieces);
    let told = 0;
    let toldPieces = finished.pieces;
    try {
      for (;;) {
        await this.#clock.sleep(PROGRESS_MS, running);
        const bytesDone = Number(Atomics.load(counter, 0));
        const pieces = Uint8Array.from(digests.subarray(toldPieces * DIGEST_BYTES, finished.pieces * DIGEST_BYTES));
        if (bytesDone !== told || pieces.length > 0) onProgress({ bytesDone, pieces });
        told = bytesDone;
        toldPieces = finished.pieces;
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

/** More than the torrent has, or half a digest, says that they belong to something else. */
function knownDigests(request: HashRequest): Uint8Array {
  const known = request.known ?? new Uint8Array();
  if (known.length % DIGEST_BYTES !== 0 || known.length > pieceCount(request) * DIGEST_BYTES) {
    throw new AppError('bad-input', 'digests that cannot be of this item', { bytes: known.length });
  }
  return known;
}

function isSame(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && sameIdentity(a, b);
}

function changed(file: FileSegment): AppError {
  return new AppError('file-changed', 'a file is not what it was when it was chosen', { path: file.path });
}

async function lookAt(
  many: ManyFiles | undefined,
  files: readonly FileSegment[],
  signal: AbortSignal,
): Promise<FileIdentity[]> {
  const paths = files.map(({ path }) => path);
  const known = await many?.look(paths, signal);
  return inBatches(paths, STAT_BATCH, async (path, index) => {
    signal.throwIfAborted();
    return known?.[index] ?? readIdentity(path);
  });
}
