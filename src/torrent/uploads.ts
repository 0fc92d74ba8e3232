// BEP 3: requests, BEP 6: rejects
import type { TokenBucket } from './limits.ts';

/** Told to peers as `reqq`: what an honest one keeps outstanding at most. */
export const REQUEST_QUEUE = 500;
/** Bytes handed to the system and not yet sent, above which no further request of that peer is served. */
const BACKLOG_BYTES = 4 * 1024 * 1024;
/** The same over all connections: peers that ask and never read fill no memory, however many they are. */
const ALL_BACKLOGS_BYTES = 128 * 1024 * 1024;
const SMALLEST_BACKLOG_BYTES = 64 * 1024;
/** Under a limit the backlog holds at most this much time, or a cancelled request would be sent all the same. */
const BACKLOG_SECONDS = 0.5;
const HEADER_BYTES = 13;

export interface BlockRequest {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

export interface UploadsDeps {
  readonly bucket: TokenBucket;
  readonly read: (request: BlockRequest, signal: AbortSignal) => Promise<Uint8Array>;
  readonly send: (request: BlockRequest, block: Uint8Array) => void;
  readonly reject: (request: BlockRequest) => void;
  /** Bytes written to the connection and not yet sent. */
  readonly backlog: () => number;
  /** Connections that share the memory. */
  readonly connections: () => number;
  /** Resolves when the backlog has been sent. */
  readonly drained: (signal: AbortSignal) => Promise<void>;
  /** A block could not be read: nothing more is served to this peer. */
  readonly onFailure: (error: unknown) => void;
}

/** What one peer asked for and has not got yet; served one by one as the limit and the connection allow. */
export class Uploads implements Disposable {
  readonly #deps: UploadsDeps;
  readonly #queue: BlockRequest[] = [];
  readonly #abort = new AbortController();
  /** Pieces with a block in the backlog: a block is a view that keeps its whole piece in memory. */
  readonly #held = new Set<number>();
  #heldBytes = 0;
  #running = false;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** False when the peer asks for more than it was told it may. */
  request(request: BlockRequest): boolean {
    if (this.#queue.length >= REQUEST_QUEUE * 2) return false;
    this.#queue.push(request);
    if (!this.#running) void this.#run();
    return true;
  }

  cancel(request: BlockRequest): void {
    const index = this.#queue.findIndex((queued) => same(queued, request));
    if (index < 0) return;
    const [cancelled] = this.#queue.splice(index, 1);
    // BEP 6: a cancelled request is answered too, by a reject.
    if (cancelled !== undefined) this.#deps.reject(cancelled);
  }

  /** The peer is choked: everything still queued is rejected. */
  rejectAll(): void {
    for (const request of this.#queue.splice(0)) this.#deps.reject(request);
  }

  [Symbol.dispose](): void {
    this.#queue.length = 0;
    this.#abort.abort();
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
      this.#running = false;
    }
  }

  async #serveNext(signal: AbortSignal): Promise<void> {
    const { bucket, read, send } = this.#deps;
    if (this.#deps.backlog() > this.#largestBacklog) await this.#deps.drained(signal);
    const next = this.#queue[0];
    if (next === undefined) return;
    await bucket.take(next.length + HEADER_BYTES, signal);
    // The queue may have changed while we waited: the tokens serve whatever is first now.
    const request = this.#queue.shift();
    if (request === undefined) return;
    await this.#roomFor(request, signal);
    const block = await read(request, signal);
    if (signal.aborted) return;
    this.#hold(request, block);
    send(request, block);
  }

  /** One block of each piece would hold all pieces in memory: blocks of further pieces wait until those are sent. */
  async #roomFor({ index }: BlockRequest, signal: AbortSignal): Promise<void> {
    const isSent = this.#deps.backlog() === 0;
    if (!isSent && (this.#held.has(index) || this.#heldBytes < this.#largestBacklog * 2)) return;
    if (!isSent) await this.#deps.drained(signal);
    this.#held.clear();
    this.#heldBytes = 0;
  }

  #hold({ index }: BlockRequest, block: Uint8Array): void {
    if (this.#held.has(index)) return;
    this.#held.add(index);
    this.#heldBytes += block.buffer.byteLength;
  }

  get #largestBacklog(): number {
    const { bucket, connections } = this.#deps;
    const inTime = bucket.rate === 0 ? BACKLOG_BYTES : bucket.rate * BACKLOG_SECONDS;
    const most = Math.min(BACKLOG_BYTES, inTime, ALL_BACKLOGS_BYTES / Math.max(1, connections()));
    return Math.max(SMALLEST_BACKLOG_BYTES, most);
  }
}

function same(a: BlockRequest, b: BlockRequest): boolean {
  return a.index === b.index && a.offset === b.offset && a.length === b.length;
}
