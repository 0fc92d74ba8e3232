// BEP 3: bencoding. Stands in for the npm package of the same name, so it keeps that package's surface and imports nothing.

/** What a decoded value can be; dictionaries have no prototype. */
export type Bencoded = number | Uint8Array<ArrayBuffer> | string | Bencoded[] | BencodedDict;
export interface BencodedDict {
  [key: string]: Bencoded;
}

export function isDict(value: Bencoded | null | undefined): value is BencodedDict {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

const MAX_INPUT_BYTES = 16 * 1024 * 1024;
export const MAX_DEPTH = 64;
/** A list costs two bytes on the wire and a hundred in memory, hence a bound on values beside the bound on bytes. */
export const MAX_VALUES = 250_000;

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const COLON = 0x3a;
const DICT = 0x64;
const END = 0x65;
const INTEGER = 0x69;
const LIST = 0x6c;
const MAX_DIGITS = 16;

const encoder = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossyUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

class Reader {
  readonly #data: Uint8Array;
  readonly #asText: boolean;
  readonly #utf8Keys: boolean;
  #position = 0;
  #values = 0;

  constructor(data: Uint8Array, options: { asText: boolean; utf8Keys: boolean }) {
    if (data.length > MAX_INPUT_BYTES) throw new Error(`bencode: ${data.length} bytes are too many`);
    this.#data = data;
    this.#asText = options.asText;
    this.#utf8Keys = options.utf8Keys;
  }

  whole(): Bencoded {
    const value = this.#value(0);
    if (this.#position !== this.#data.length) throw this.#error('bytes after the end');
    return value;
  }

  #value(depth: number): Bencoded {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw this.#error('too many values');
    if (depth > MAX_DEPTH) throw this.#error('nested too deep');
    switch (this.#data[this.#position]) {
      case DICT:
        return this.#dict(depth);
      case LIST:
        return this.#list(depth);
      case INTEGER:
        return this.#integer();
      default: {
        const bytes = this.#bytes();
        return this.#asText ? lossyUtf8.decode(bytes) : bytes.slice();
      }
    }
  }

  #dict(depth: number): BencodedDict {
    const dict = Object.create(null) as BencodedDict;
    let previous: Uint8Array | undefined;
    this.#position += 1;
    while (this.#data[this.#position] !== END) {
      const raw = this.#bytes();
      if (previous !== undefined && compareBytes(previous, raw) >= 0)
        throw this.#error('keys not sorted or not unique');
      previous = raw;
      const key = this.#key(raw);
      // A text key can spell the same as the hex form of a binary one.
      if (key in dict) throw this.#error('two keys read the same');
      dict[key] = this.#value(depth + 1);
    }
    this.#position += 1;
    return dict;
  }

  #key(raw: Uint8Array): string {
    try {
      return strictUtf8.decode(raw);
    } catch {
      // Not UTF-8: the npm package gives such keys (info hashes in tracker answers) as hex.
      if (this.#utf8Keys) throw this.#error('key is not UTF-8');
      return Array.from(raw, (byte) => byte.toString(16).padStart(2, '0')).join('');
    }
  }

  #list(depth: number): Bencoded[] {
    const list: Bencoded[] = [];
    this.#position += 1;
    while (this.#data[this.#position] !== END) list.push(this.#value(depth + 1));
    this.#position += 1;
    return list;
  }

  #integer(): number {
    this.#position += 1;
    const negative = this.#data[this.#position] === MINUS;
    if (negative) this.#position += 1;
    const value = this.#digits(END);
    if (negative && value === 0) throw this.#error('minus zero');
    return negative ? -value : value;
  }

  /** Digits without sign or leading zero, then `end`; the position is left after it. */
  #digits(end: number): number {
    const start = this.#position;
    let value = 0;
    for (;;) {
      const byte = this.#data[this.#position];
      if (byte === undefined) throw this.#error('ends inside a number');
      if (byte === end) break;
      if (byte < ZERO || byte > NINE) throw this.#error('not a digit');
      if (this.#position - start >= MAX_DIGITS) throw this.#error('number too long');
      value = value * 10 + (byte - ZERO);
      this.#position += 1;
    }
    const digits = this.#position - start;
    if (digits === 0) throw this.#error('number without digits');
    if (digits > 1 && this.#data[start] === ZERO) throw this.#error('leading zero');
    if (!Number.isSafeInteger(value)) throw this.#error('number too large');
    this.#position += 1;
    return value;
  }

  /** A view of the input. */
  #bytes(): Uint8Array {
    const length = this.#digits(COLON);
    const end = this.#position + length;
    if (end > this.#data.length) throw this.#error('string longer than the input');
    const bytes = this.#data.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }

  #error(what: string): Error {
    return new Error(`bencode: ${what} at byte ${this.#position}`);
  }
}

/**
 * Decodes one canonical value; the arguments are those of the npm package: (data, encoding) or
 * (data, start, end, encoding). Empty input gives null, with an encoding every byte string becomes text.
 */
export function decode(
  data: Uint8Array | string | null | undefined,
  start?: number | string | null,
  end?: number | string | null,
  encoding?: string | null,
): Bencoded | null {
  if (data === null || data === undefined || data.length === 0) return null;
  const from = typeof start === 'number' ? start : 0;
  const to = typeof end === 'number' ? end : undefined;
  const asText = [start, end, encoding].some((argument) => typeof argument === 'string' && argument !== '');
  return new Reader(plainBytes(data).subarray(from, to), { asText, utf8Keys: false }).whole();
}

/** For our own formats: bytes only, keys are UTF-8, and encoding the result gives the input again, byte for byte. */
export function decodeCanonical(data: Uint8Array, maxBytes: number = MAX_INPUT_BYTES): Bencoded {
  if (data.length > maxBytes) throw new Error(`bencode: ${data.length} bytes are more than ${maxBytes}`);
  const bytes = plainBytes(data);
  const value = new Reader(bytes, { asText: false, utf8Keys: true }).whole();
  if (compareBytes(encode(value), bytes) !== 0) throw new Error('bencode: not in canonical form');
  return value;
}

/** A Buffer's slice is a view that would let callers share memory, so everything is seen as a plain Uint8Array. */
function plainBytes(data: Uint8Array | string): Uint8Array {
  if (typeof data === 'string') return encoder.encode(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Encodes canonically; as in the npm package null and undefined are left out, and a `target` that is given is written
 * to and returned.
 */
export function encode(value: unknown): Uint8Array<ArrayBuffer>;
export function encode(value: unknown, target: Uint8Array, offset?: number): Uint8Array;
export function encode(value: unknown, target?: Uint8Array, offset = 0): Uint8Array {
  const parts: Uint8Array[] = [];
  if (value !== null && value !== undefined) write(parts, value, 0);
  const whole = concat(parts);
  target?.set(whole, offset);
  return target ?? whole;
}

/** The number of bytes `encode` gives. */
export function encodingLength(value: unknown): number {
  return encode(value).length;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function write(parts: Uint8Array[], value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error('bencode: nested too deep');
  if (typeof value === 'string') writeBytes(parts, encoder.encode(value));
  else if (typeof value === 'number' || typeof value === 'bigint') writeInteger(parts, value);
  else if (typeof value === 'boolean') writeInteger(parts, value ? 1 : 0);
  else if (ArrayBuffer.isView(value)) writeBytes(parts, viewBytes(value));
  else if (value instanceof ArrayBuffer) writeBytes(parts, new Uint8Array(value));
  else if (Array.isArray(value) || value instanceof Set) writeList(parts, value, depth);
  else if (value instanceof Map) writeDict(parts, Array.from(value as Map<unknown, unknown>), depth);
  else if (typeof value === 'object' && value !== null) writeDict(parts, Object.entries(value), depth);
  else throw new Error(`bencode: cannot encode a ${typeof value}`);
}

function writeInteger(parts: Uint8Array[], value: number | bigint): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error('bencode: not a whole number');
  parts.push(encoder.encode(`i${BigInt(value)}e`));
}

function viewBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function writeBytes(parts: Uint8Array[], bytes: Uint8Array): void {
  parts.push(encoder.encode(`${bytes.length}:`), bytes);
}

function writeList(parts: Uint8Array[], values: Iterable<unknown>, depth: number): void {
  parts.push(Uint8Array.of(LIST));
  for (const value of values) if (value !== null && value !== undefined) write(parts, value, depth + 1);
  parts.push(Uint8Array.of(END));
}

function writeDict(parts: Uint8Array[], entries: readonly (readonly [unknown, unknown])[], depth: number): void {
  const sorted = entries
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => ({ key: ArrayBuffer.isView(key) ? viewBytes(key) : encoder.encode(String(key)), value }))
    .sort((a, b) => compareBytes(a.key, b.key));
  parts.push(Uint8Array.of(DICT));
  let previous: Uint8Array | undefined;
  for (const { key, value } of sorted) {
    if (previous !== undefined && compareBytes(previous, key) === 0) throw new Error('bencode: two keys are the same');
    previous = key;
    writeBytes(parts, key);
    write(parts, value, depth + 1);
  }
  parts.push(Uint8Array.of(END));
}

const bencode = { encode, decode, byteLength: encodingLength, encodingLength, decodeCanonical };
// oxlint-disable-next-line import/no-default-export -- the packages that depend on npm's bencode import its default
export default bencode;
