import { fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';

/** What our JSON may hold: no fractions, no number beyond 2^53 - 1, no undefined. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const MAX_DEPTH = 16;

/**
 * The one spelling of a value: members sorted by UTF-16 code unit, no white space, integers only
 * (the subset of RFC 8785 without fractions). Throws `bad-input` for what has no spelling.
 */
export function encodeCanonical(value: unknown): Uint8Array<ArrayBuffer> {
  return toUtf8(spell(value));
}

/** Reads JSON that is spelled exactly as `encodeCanonical` spells it, anything else is `bad-input`. */
export function decodeCanonical(bytes: Uint8Array, maxBytes: number): Json {
  if (bytes.length > maxBytes)
    throw new AppError('too-large', 'the record is too long', { bytes: bytes.length, maxBytes });
  const text = fromUtf8(bytes);
  if (text === undefined) throw new AppError('bad-input', 'the record is not UTF-8');
  const value = parse(text);
  // Doubled members, white space, fractions, a byte order mark and other spellings all differ after re-encoding.
  if (spell(value) !== text) throw new AppError('bad-input', 'the record is not in canonical form');
  return value;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new AppError('bad-input', 'the record is not JSON', {}, error);
  }
}

/** What is in order already the runtime spells in the same way, in a fraction of the time: lists of files are long. */
function spell(value: unknown): string {
  return isOrderly(value, 0) ? JSON.stringify(value) : write(value, 0);
}

/** Whether its members are sorted as they stand, and nothing of it is without a canonical form. */
function isOrderly(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value === 'boolean' || value === null) return true;
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((entry) => isOrderly(entry, depth + 1));
  let last = '';
  for (const [key, entry] of Object.entries(value)) {
    if (key < last || key === '__proto__' || !key.isWellFormed() || !isOrderly(entry, depth + 1)) return false;
    last = key;
  }
  return true;
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isSafeInteger(value))
        throw new AppError('bad-input', 'only whole safe numbers have a canonical form');
      return String(value === 0 ? 0 : value);
    case 'string':
      if (!value.isWellFormed())
        throw new AppError('bad-input', 'text with half a surrogate pair has no canonical form');
      return JSON.stringify(value);
    case 'object':
      return value === null ? 'null' : writeContainer(value, depth + 1);
    default:
      throw new AppError('bad-input', 'this value has no canonical form', { type: typeof value });
  }
}

function writeContainer(value: object, depth: number): string {
  if (depth > MAX_DEPTH) throw new AppError('bad-input', 'the record is nested too deep', { maxDepth: MAX_DEPTH });
  if (Array.isArray(value)) return `[${value.map((entry) => write(entry, depth)).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, entry]) => `${writeKey(key)}:${write(entry, depth)}`).join(',')}}`;
}

function writeKey(key: string): string {
  // Such a member would change the prototype of a careless reader's object.
  if (key === '__proto__') throw new AppError('bad-input', 'a member of this name has no canonical form');
  return write(key, 0);
}
