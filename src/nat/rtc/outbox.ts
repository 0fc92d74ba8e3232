import { MESSAGE_BYTES } from './stream-messages.ts';

/** Shared by all streams: the library copies a message before it returns. */
const gathered = Buffer.allocUnsafeSlow(MESSAGE_BYTES);

/** Bytes that wait for being sent, cut into messages. */
export class Outbox {
  #chunks: readonly Uint8Array[] = [];
  #next = 0;
  #offset = 0;

  get isEmpty(): boolean {
    return this.#next >= this.#chunks.length;
  }

  /** Only when empty. */
  fill(chunks: readonly Uint8Array[]): void {
    this.#chunks = chunks.filter((chunk) => chunk.length > 0);
    this.#next = 0;
    this.#offset = 0;
  }

  /** At most `limit` bytes, and never more than a message takes; valid until the next call. */
  take(limit: number): Uint8Array {
    const most = Math.min(limit, MESSAGE_BYTES);
    const head = this.#chunks[this.#next];
    if (head === undefined) return new Uint8Array();
    const isLast = this.#next === this.#chunks.length - 1;
    if (isLast || head.length - this.#offset >= most) return this.#cut(head, most);
    let length = 0;
    for (let chunk: Uint8Array | undefined = head; chunk !== undefined && length < most;) {
      const part = this.#cut(chunk, most - length);
      gathered.set(part, length);
      length += part.length;
      chunk = this.#chunks[this.#next];
    }
    return gathered.subarray(0, length);
  }

  #cut(chunk: Uint8Array, most: number): Uint8Array {
    const part = chunk.subarray(this.#offset, this.#offset + most);
    this.#offset += part.length;
    if (this.#offset === chunk.length) {
      this.#next += 1;
      this.#offset = 0;
    }
    return part;
  }
}
