import { AppError } from '../../base/errors.ts';

/** Reads big-endian fields one after the other; running over the end is `bad-input`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** A copy: a small field must not keep a whole envelope in memory. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.remaining) {
      throw new AppError('bad-input', 'the bytes end too early', { wanted: length, remaining: this.remaining });
    }
    const start = this.#offset;
    this.#offset += length;
    return new Uint8Array(this.#bytes.subarray(start, this.#offset));
  }

  /** An unsigned number of 1 to 4 bytes. */
  number(length: number): number {
    return this.take(length).reduce((value, byte) => value * 256 + byte, 0);
  }
}

/** `value` in `length` bytes, big-endian. */
export function numberBytes(value: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let index = length - 1; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}
