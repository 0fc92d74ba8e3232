import { AppError } from '../base/errors.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { FilePool } from './file-pool.ts';
import type { TorrentShape } from './metainfo.ts';

/** A file that is not what it was when it was shared or completed; nothing of it is served while that lasts. */
export interface StoreFault {
  readonly kind: 'changed' | 'missing';
  /** Index among the file segments. */
  readonly file: number;
  readonly path: string;
}

export interface PieceStoreDeps {
  readonly shape: TorrentShape;
  readonly segments: readonly Segment[];
  /** null = the disk holds the bytes of the swarm as they are. */
  readonly mediaKey: Uint8Array | null;
  readonly files: FilePool;
  /** Called once when a file becomes faulty, and with null when every file is right again. */
  readonly onFault: (fault: StoreFault | null) => void;
  /** Checked pieces kept in memory, in bytes; 16 MiB when left out. */
  readonly cacheBytes?: number;
}

/** The surface of abstract-chunk-store, for webtorrent's `preloadedStore` option (with `storeCacheSlots: 0`). */
export interface ChunkStore {
  readonly chunkLength: number;
  get(index: number, options: ChunkRange | null, done: ChunkCallback): void;
  get(index: number, done: ChunkCallback): void;
  put(index: number, bytes: Uint8Array, done?: (error: Error | null) => void): void;
  close(done?: (error: Error | null) => void): void;
  /** Closes; never deletes a file. */
  destroy(done?: (error: Error | null) => void): void;
}
export interface ChunkRange {
  readonly offset?: number;
  readonly length?: number;
}
export type ChunkCallback = (error: Error | null, bytes?: Uint8Array) => void;

/**
 * The pieces of one torrent: ciphertext towards the swarm, plain files on the disk. Bytes leave only when their
 * SHA-1 was checked since the store was opened and the files they come from are still the same.
 */
export class PieceStore implements AsyncDisposable {
  constructor(deps: PieceStoreDeps) {
    void deps;
  }

  /** A part of a checked piece; do not write to it. Fails with `file-changed` or `file-missing` when it must not leave. */
  read(index: number, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    void [index, offset, length, signal];
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  /** Takes a whole piece whose SHA-1 the caller has compared; `bytes` are not kept. Fails with `disk-full`, `disk-error`, `invalid-torrent`. */
  write(index: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    void [index, bytes, signal];
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  /** The given bitfield without the pieces whose files are gone or too short: call it before a resumed download goes on. */
  usable(bitfield: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    void [bitfield, signal];
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  /** Reads pieces back and gives those that fail their SHA-1: for the pieces of earlier runs, before a download is called complete. */
  badPieces(indices: Iterable<number>, signal: AbortSignal): Promise<number[]> {
    void [indices, signal];
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  /** Everything was written: flushes files and folders to the disk and gives what the files are from now on. */
  sync(signal: AbortSignal): Promise<FileIdentity[]> {
    void signal;
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  /** Looks at all files without reading them, so that a missing disk is noticed (and its return too); the first fault or null. */
  check(signal: AbortSignal): Promise<StoreFault | null> {
    void signal;
    return Promise.reject(new AppError('internal', 'under construction'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

export function chunkStore(store: PieceStore): ChunkStore {
  void store;
  throw new AppError('internal', 'under construction');
}
