import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { withPatience } from './deadline.ts';

/** As much as TLS seals at once: the server can read all of a part or nothing. */
const PART_BYTES = 16 * 1024;
/** Systems give up a line only after a quarter of an hour. */
const STALL_MS = 180_000;
/** Five bytes a millisecond are what a modem carries. */
const SLOW_BYTES_A_MS = 5;

interface LineWriterDeps {
  readonly socket: Writable & { readonly bytesRead: number };
  readonly clock: Clock;
  /** Nothing came in and nothing was taken for three minutes, though something waits: the line died without a word. */
  readonly onStalled: (error: AppError) => void;
}

interface Waiting {
  /** What is left to write. */
  bytes: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Writes to the server, however long a slow line needs for all that waits, as long as it moves. */
export class LineWriter {
  readonly #deps: LineWriterDeps;
  readonly #queue: Waiting[] = [];
  #isWriting = false;
  /** When a slow line has carried all of it: in front of it the system takes much that is then still under way. */
  #carriedAtMs = 0;

  constructor(deps: LineWriterDeps) {
    this.#deps = deps;
  }

  /** How much later than on a good line an answer may come, for it stands behind what was written before. */
  get lateMs(): number {
    return Math.max(0, this.#carriedAtMs - this.#deps.clock.monotonic());
  }

  /** Resolves as the last of it is handed to the system: before, the server cannot have read it; from then on it may have. */
  write(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const bytes = Buffer.from(text);
    const nowMs = this.#deps.clock.monotonic();
    const carriedAtMs = Math.max(nowMs, this.#carriedAtMs) + bytes.length / SLOW_BYTES_A_MS;
    this.#carriedAtMs = Math.min(nowMs + STALL_MS, carriedAtMs);
    this.#queue.push({ bytes, resolve, reject });
    if (!this.#isWriting) void this.#writeAll();
    return promise;
  }

  /** The server has read all that was handed to the system. */
  answered(): void {
    if (!this.#isWriting) this.#carriedAtMs = 0;
  }

  async #writeAll(): Promise<void> {
    const { socket, clock, onStalled } = this.#deps;
    const line = {
      get heard() {
        return socket.bytesRead;
      },
      lateMs: 0,
    };
    const limit = { ms: STALL_MS, line, enough: 1, turns: Infinity };
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        if (!socket.writable) throw new AppError('disconnected', 'the connection is over');
        await withPatience(clock, limit, undefined, () => written(socket, this.#nextPart()));
      }
    } catch (error) {
      for (const { reject } of this.#queue.splice(0)) reject(error);
      if (errorCode(error) === 'timed-out')
        onStalled(new AppError('disconnected', 'the line takes nothing any more', {}, error));
    }
    this.#isWriting = false;
  }

  /** What waits together goes out together: on a slow line each packet counts. */
  #nextPart(): Buffer {
    const pieces: Buffer[] = [];
    let room = PART_BYTES;
    for (let first = this.#queue[0]; first !== undefined && room > 0; first = this.#queue[0]) {
      const piece = first.bytes.subarray(0, room);
      pieces.push(piece);
      room -= piece.length;
      first.bytes = first.bytes.subarray(piece.length);
      if (first.bytes.length > 0) break;
      this.#queue.shift();
      first.resolve();
    }
    return Buffer.concat(pieces);
  }
}

function written(socket: Writable, part: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(part, (error) => (error ? reject(error) : resolve()));
  });
}
