// BEP 3: requests, BEP 6: rejects
import type { HeldPiece } from './held-piece.ts';
import type { Bucket } from './limits.ts';
import { BIG_PIECE_BYTES } from './piece-memory.ts';
import type { BlockRequest } from './request-queue.ts';
import { RequestQueue } from './request-queue.ts';

/** Told to peers as `reqq`: what an honest one keeps outstanding at most. Some send all they may twice a second only. */
export const REQUEST_QUEUE = 2000;
/** Bytes handed to the system and not yet sent, above which no further request of that peer is served. */
const BACKLOG_BYTES = 4 * 1024 * 1024;
/** The same over all connections: peers that ask and never read fill no memory, however many they are. */
const ALL_BACKLOGS_BYTES = 128 * 1024 * 1024;
/** The same over all connections of one device: a member of many items gets no more of our memory than others. */
const DEVICE_BACKLOGS_BYTES = 16 * 1024 * 1024;
const SMALLEST_BACKLOG_BYTES = 64 * 1024;
/** Under a limit the backlog holds at most this much time, or a cancelled request would be sent all the same. */
const BACKLOG_SECONDS = 0.5;
const HEADER_BYTES = 13;
/** Pieces read while the one before them is sent; with many connections the others keep the disk busy. */
const READ_AHEAD = 2;
const READ_AHEAD_CONNECTIONS = 8;

export interface UploadsDeps {
  readonly bucket: Bucket;
  /** The length of a piece. */
  readonly pieceBytes: number;
  readonly borrow: (index: number, signal: AbortSignal) => Promise<HeldPiece>;
  /** `sent` is to be called when the connection needs the block's memory no more. */
  readonly send: (request: BlockRequest, block: Uint8Array, sent: () => void) => void;
  readonly reject: (request: BlockRequest) => void;
  /** Connections that share the memory. */
  readonly connections: () => { readonly all: number; readonly ofDevice: number };
  /** A block could not be read: nothing more is served to this peer. */
  readonly onFailure: (error: unknown) => void;
}

/** What one peer asked for and has not got yet; served one by one as the limit and the connection allow. */
export class Uploads implements Disposable {
  readonly #deps: UploadsDeps;
  readonly #queue = new RequestQueue();
  readonly #abort = new AbortController();
  /** Pieces being read or served, the first asked for first. */
  readonly #pieces = new Map<number, Promise<HeldPiece>>();
  /** Blocks written and not yet sent, by piece: each keeps its whole piece in memory. */
  readonly #unsent = new Map<number, number>();
  #unsentBytes = 0;
  #heldBytes = 0;
  #running = false;
  #onSent: (() => void) | null = null;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  /** Whether the other end waits for blocks, whether they are in the queue yet or in the memory of the connection. */
  get isOwing(): boolean {
    return this.#queue.length > 0 || this.#unsentBytes > 0;
  }

  /** False when the peer asks for more than it was told it may. */
  request(request: BlockRequest): boolean {
    if (this.#queue.length >= REQUEST_QUEUE * 2) return false;
    this.#queue.push(request);
    if (!this.#running) void this.#run();
    return true;
  }

  cancel(request: BlockRequest): void {
    // BEP 6: a cancelled request is answered too, by a reject.
    if (this.#queue.takeBack(request)) this.#deps.reject(request);
  }

  /** The peer is choked: everything still queued is rejected. */
  rejectAll(): void {
    for (const request of this.#queue.takeAll()) this.#deps.reject(request);
  }

  [Symbol.dispose](): void {
    this.#queue.takeAll();
    this.#abort.abort();
    this.#onSent?.();
    this.#letGo();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const { signal } = this.#abort;
    try {
      while (this.#queue.length > 0 && !signal.aborted) await this.#serveNext(signal);
    } catch (error) {
      // After disposal the abort is the expected way out.
      if (!signal.aborted) this.#deps.onFailure(error);
    } finally {
      this.#letGo();
      this.#running = false;
    }
  }

  async #serveNext(signal: AbortSignal): Promise<void> {
    const { bucket } = this.#deps;
    if (this.#unsentBytes > this.#largestBacklog) await this.#sentDownTo(this.#largestBacklog / 2);
    const next = this.#queue.first;
    if (next === undefined) return;
    if (bucket.open) bucket.debit(next.length + HEADER_BYTES);
    else await bucket.take(next.length + HEADER_BYTES, signal);
    // The queue may have changed while we waited: the tokens serve whatever is first now.
    const request = this.#queue.first;
    if (request === undefined) return;
    // One block of each piece would hold all pieces in memory: blocks of further pieces wait until those are sent.
    if (!this.#unsent.has(request.index) && this.#heldBytes >= this.#largestBacklog * 2) await this.#sentDownTo(0);
    const piece = await this.#piece(request.index, signal);
    if (signal.aborted) return;
    // Taken back while its piece was read: who does so again and again fills no memory with such pieces.
    if (this.#queue.first !== request) return this.#turnToNext();
    this.#queue.shift();
    this.#send(request, piece.hold());
    if (this.#queue.first?.index !== request.index) this.#turnToNext();
  }

  #send(request: BlockRequest, piece: HeldPiece): void {
    const { index, offset, length } = request;
    const before = this.#unsent.get(index) ?? 0;
    this.#unsent.set(index, before + 1);
    if (before === 0) this.#heldBytes += piece.bytes.length;
    this.#unsentBytes += length;
    this.#deps.send(request, piece.bytes.subarray(offset, offset + length), () => {
      const left = (this.#unsent.get(index) ?? 1) - 1;
      if (left === 0) {
        this.#unsent.delete(index);
        this.#heldBytes -= piece.bytes.length;
      } else this.#unsent.set(index, left);
      this.#unsentBytes -= length;
      piece.letGo();
      this.#onSent?.();
    });
  }

  /** Resolves when at most `bytes` wait to be sent, or at the end of the connection. */
  async #sentDownTo(bytes: number): Promise<void> {
    while (this.#unsentBytes > bytes && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => (this.#onSent = resolve));
      this.#onSent = null;
    }
  }

  /** The piece, and the reading of those asked for after it is begun. */
  #piece(index: number, signal: AbortSignal): Promise<HeldPiece> {
    const known = this.#pieces.get(index);
    if (known !== undefined) return known;
    const wanted = this.#begin(index, signal);
    if (!this.#isOneOfMany) {
      for (const queued of this.#queue) {
        if (this.#pieces.size > READ_AHEAD) break;
        if (!this.#pieces.has(queued.index)) void this.#begin(queued.index, signal);
      }
    }
    return wanted;
  }

  #begin(index: number, signal: AbortSignal): Promise<HeldPiece> {
    const reading = this.#deps.borrow(index, signal);
    // Whoever waits for the piece gets the failure.
    reading.catch(() => undefined);
    this.#pieces.set(index, reading);
    return reading;
  }

  /** Lets go what is not asked for soon, and reads ahead from the next piece on. */
  #turnToNext(): void {
    const soon = this.#soon();
    for (const piece of Array.from(this.#pieces.keys())) if (!soon.has(piece)) this.#drop(piece);
    if (this.#isOneOfMany) return;
    for (const piece of soon) {
      if (this.#pieces.size > READ_AHEAD) return;
      if (!this.#pieces.has(piece)) void this.#begin(piece, this.#abort.signal);
    }
  }

  /** The pieces asked for next, no more than may wait: one asked for again long after is read again. */
  #soon(): Set<number> {
    const least = this.#isOneOfMany ? 1 : READ_AHEAD + 1;
    const most = Math.max(least, Math.floor((this.#largestBacklog * 2) / this.#deps.pieceBytes));
    const soon = new Set<number>();
    for (const { index } of this.#queue) {
      if (soon.size === most) break;
      soon.add(index);
    }
    return soon;
  }

  #letGo(): void {
    for (const piece of Array.from(this.#pieces.keys())) this.#drop(piece);
  }

  #drop(index: number): void {
    const reading = this.#pieces.get(index);
    this.#pieces.delete(index);
    reading?.then(
      (piece) => piece.letGo(),
      () => undefined,
    );
  }

  /** Who held one big piece and waited for the memory of another would hold up all who wait for such. */
  get #isOneOfMany(): boolean {
    const { pieceBytes, connections } = this.#deps;
    return pieceBytes > BIG_PIECE_BYTES || connections().all > READ_AHEAD_CONNECTIONS;
  }

  get #largestBacklog(): number {
    const { bucket, connections } = this.#deps;
    const inTime = bucket.rate === 0 ? BACKLOG_BYTES : bucket.rate * BACKLOG_SECONDS;
    const { all, ofDevice } = connections();
    const share = Math.min(ALL_BACKLOGS_BYTES / Math.max(1, all), DEVICE_BACKLOGS_BYTES / Math.max(1, ofDevice));
    return Math.max(SMALLEST_BACKLOG_BYTES, Math.min(BACKLOG_BYTES, inTime, share));
  }
}
