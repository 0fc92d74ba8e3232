import { fromBase64, toBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';

const BYTES = '$bytes';

/** JSON in which a Uint8Array is `{"$bytes": base64}`. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? { [BYTES]: toBase64(part) } : part,
  );
  if (text === undefined) throw new AppError('bad-input', 'the value cannot be kept as JSON');
  return text;
}

export function fromJson(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || !(BYTES in part) || typeof part[BYTES] !== 'string') return part;
    return fromBase64(part[BYTES]) ?? part;
  });
}
