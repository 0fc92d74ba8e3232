import { AppError } from '../base/errors.ts';

const BYTES = '$bytes';

/** JSON in which a Uint8Array is `{"$bytes": base64}`. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(withTexts(value));
  if (text === undefined) throw new AppError('bad-input', 'the value cannot be kept as JSON');
  return text;
}

export function fromJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes(BYTES) ? withBytes(value) : value;
}

// A replacer and a reviver would be called for each part of a value, which takes several times longer than the rest.

/** The value itself when there are no bytes in it. */
function withTexts(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [BYTES]: base64(value) };
  return mapParts(value, withTexts);
}

function withBytes(value: unknown): unknown {
  if (isRecord(value) && typeof value[BYTES] === 'string') return bytesOf(value[BYTES]) ?? value;
  return mapParts(value, withBytes);
}

function mapParts(value: unknown, change: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) {
    const parts = value.map(change);
    return parts.some((part, index) => part !== value[index]) ? parts : value;
  }
  if (!isRecord(value)) return value;
  let changed: Record<string, unknown> | null = null;
  for (const key of Object.keys(value)) {
    const part = change(value[key]);
    if (part === value[key]) continue;
    changed ??= { ...value };
    changed[key] = part;
  }
  return changed ?? value;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

// By Node.js itself: the list of a large folder is tens of megabytes, and byte by byte they take seconds.

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** undefined when it is not base64 as we write it. */
function bytesOf(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}
