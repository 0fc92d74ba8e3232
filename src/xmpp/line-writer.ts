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
  #taken = 0;
  /** Written since something came in; in front of a slow line the system takes much that is then still under way. */
  #unheard = { bytes: 0, bytesRead: 0 };

  constructor(deps: LineWriterDeps) {
    this.#deps = deps;
  }

  /** How much later than on a good line an answer may come, for it stands behind what was written before. */
  get lateMs(): number {
    return Math.min(STALL_MS, this.#unheard.bytes / SLOW_BYTES_A_MS);
  }

  /** Resolves when the system has taken all of it; when it rejects, the server cannot have read it. */
  async write(text: string): Promise<void> {
    const { socket, clock, onStalled } = this.#deps;
    const limit = { ms: STALL_MS, heard: () => socket.bytesRead + this.#taken, enough: 1, turns: Infinity };
    try {
      await withPatience(clock, limit, undefined, () => this.#put(Buffer.from(text)));
    } catch (error) {
      if (errorCode(error) === 'timed-out')
        onStalled(new AppError('disconnected', 'the line takes nothing any more', {}, error));
      throw error;
    }
  }

  #put(bytes: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ bytes, resolve, reject });
    const { bytesRead } = this.#deps.socket;
    const before = bytesRead === this.#unheard.bytesRead ? this.#unheard.bytes : 0;
    this.#unheard = { bytes: before + bytes.length, bytesRead };
    if (!this.#isWriting) void this.#writeAll();
    return promise;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const part = this.#nextPart();
        await written(this.#deps.socket, part);
        this.#take(part.length);
      }
    } catch (error) {
      for (const { reject } of this.#queue.splice(0)) reject(error);
    }
    this.#isWriting = false;
  }

  /** What waits together goes out together: on a slow line each packet counts. */
  #nextPart(): Buffer {
    const pieces: Buffer[] = [];
    let room = PART_BYTES;
    for (const { bytes } of this.#queue) {
      if (room === 0) break;
      pieces.push(bytes.subarray(0, room));
      room -= Math.min(room, bytes.length);
    }
    return Buffer.concat(pieces);
  }

  #take(length: number): void {
    this.#taken += length;
    let left = length;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (first.bytes.length > left) {
        first.bytes = first.bytes.subarray(left);
        return;
      }
      left -= first.bytes.length;
      first.resolve();
      this.#queue.shift();
    }
  }
}

function written(socket: Writable, part: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.writable) socket.write(part, (error) => (error ? reject(error) : resolve()));
    else reject(new AppError('disconnected', 'the connection is over'));
  });
}
