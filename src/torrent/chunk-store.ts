import { callbackify } from 'node:util';

export interface ChunkRange {
  readonly offset?: number;
  readonly length?: number;
}
type Done = (error: Error | null) => void;
export type ChunkCallback = (error: Error | null, bytes?: Uint8Array) => void;

/** The surface of abstract-chunk-store, for webtorrent's `preloadedStore` option (with `storeCacheSlots: 0`). */
export interface ChunkStore {
  readonly chunkLength: number;
  get(index: number, options: ChunkRange | null | undefined, done: ChunkCallback): void;
  get(index: number, done: ChunkCallback): void;
  put(index: number, bytes: Uint8Array, done?: Done): void;
  close(done?: Done): void;
  destroy(done?: Done): void;
}

/** The pieces behind the callbacks. */
export interface ChunkSource extends AsyncDisposable {
  readonly pieceLength: number;
  /** The size of a piece in bytes. */
  size(index: number): number;
  read(index: number, offset: number, length: number): Promise<Uint8Array>;
  write(index: number, bytes: Uint8Array): Promise<void>;
}

const ignore = (): void => undefined;

/** Callbacks around a store of pieces. Neither `close` nor `destroy` deletes anything. */
export function chunkStore(source: ChunkSource): ChunkStore {
  const read = callbackify((index: number, range: ChunkRange | null) => {
    const offset = range?.offset ?? 0;
    return source.read(index, offset, range?.length ?? source.size(index) - offset);
  });
  const write = callbackify((index: number, bytes: Uint8Array) => source.write(index, bytes));
  const dispose = callbackify(async () => source[Symbol.asyncDispose]());
  return {
    chunkLength: source.pieceLength,
    get(index: number, options: ChunkRange | null | undefined | ChunkCallback, done?: ChunkCallback): void {
      if (typeof options === 'function') read(index, null, options);
      else read(index, options ?? null, done ?? ignore);
    },
    put: (index, bytes, done = ignore) => write(index, bytes, done),
    close: (done = ignore) => dispose(done),
    destroy: (done = ignore) => dispose(done),
  };
}
