import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';

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

/** Encrypts and hashes items in one pass over their files, in worker threads. */
export class Hasher implements AsyncDisposable {
  readonly #deps: HasherDeps;

  constructor(deps: HasherDeps) {
    this.#deps = deps;
  }

  /** Tells the bytes done at most four times a second. Fails with `file-changed` when a file was touched meanwhile. */
  hash(request: HashRequest, onProgress: (bytesDone: number) => void, signal: AbortSignal): Promise<HashResult> {
    void [request, onProgress, signal, this.#deps];
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}
