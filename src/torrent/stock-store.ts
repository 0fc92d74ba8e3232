import { callbackify } from 'node:util';
import type { ChunkStore } from 'webtorrent';
import type { PieceSwarmDeps } from './piece-swarm.ts';

/** What waits for the disk, above which nothing more is read from any connection. */
const MOST_WAITING_BYTES = 32 * 1024 * 1024;

export interface StockStoreDeps extends Pick<PieceSwarmDeps, 'borrow' | 'write' | 'buffers'> {
  readonly have: (piece: number) => boolean;
  readonly onWritten: (piece: number) => void;
  /** The piece was not written, which webtorrent takes for the end of the torrent. */
  readonly onFailed: (error: unknown) => void;
  readonly onBehind: (isBehind: boolean) => void;
}

/** Pieces as webtorrent reads and writes them: ciphertext that was checked, of pieces that are here. */
export class StockStore implements ChunkStore {
  readonly #deps: StockStoreDeps;
  readonly #end = new AbortController();
  #waitingBytes = 0;

  constructor(deps: StockStoreDeps) {
    this.#deps = deps;
  }

  get(
    index: number,
    range: { readonly offset?: number; readonly length?: number } | null,
    done: (error: Error | null, bytes?: Uint8Array) => void,
  ): void {
    callbackify(() => this.#read(index, range?.offset ?? 0, range?.length))(done);
  }

  put(index: number, bytes: Uint8Array, done: (error: Error | null) => void): void {
    callbackify(() => this.#write(index, bytes))((error) => {
      // Told by ourselves: webtorrent gives the torrent up and keeps the reason.
      if (error !== null) this.#deps.onFailed(error);
      done(error);
    });
  }

  close(done?: () => void): void {
    this.#end.abort();
    done?.();
  }

  destroy(done?: () => void): void {
    this.close(done);
  }

  async #read(index: number, offset: number, length?: number): Promise<Uint8Array> {
    const { have, borrow } = this.#deps;
    if (!have(index)) throw new Error('the piece is not here');
    const piece = await borrow(index, this.#end.signal);
    const part = new Uint8Array(piece.bytes.subarray(offset, length === undefined ? undefined : offset + length));
    piece.letGo();
    return part;
  }

  async #write(index: number, bytes: Uint8Array): Promise<void> {
    const { buffers, write, onWritten } = this.#deps;
    // Memory that all threads see: it is checked and deciphered beside this one.
    const piece = buffers.take(bytes.length);
    piece.set(bytes);
    this.#waits(bytes.length);
    try {
      if (!(await write(index, piece))) throw new Error('webtorrent calls a piece right that is wrong');
    } finally {
      buffers.give(piece);
      this.#waits(-bytes.length);
    }
    if (!this.#end.signal.aborted) onWritten(index);
  }

  #waits(bytes: number): void {
    const wasBehind = this.#waitingBytes > MOST_WAITING_BYTES;
    this.#waitingBytes += bytes;
    const isBehind = this.#waitingBytes > MOST_WAITING_BYTES;
    if (isBehind !== wasBehind) this.#deps.onBehind(isBehind);
  }
}
