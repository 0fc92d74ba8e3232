// RFC 9110 §14: Range Requests

/** The part of a resource to send; `to` is exclusive. */
export type RequestedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'unsatisfiable' };

const WHOLE = { kind: 'whole' } as const;
const UNSATISFIABLE = { kind: 'unsatisfiable' } as const;

/** Reads a Range header for a resource of `size` bytes. What is malformed or has several ranges is ignored. */
export function parseRange(header: string | undefined, size: number): RequestedRange {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? '');
  if (match === null) return WHOLE;
  const [, first = '', last = ''] = match;
  if (first === '') return suffix(last, size);
  const from = Number(first);
  const lastByte = last === '' ? Number.POSITIVE_INFINITY : Number(last);
  // §14.1.1: a last position before the first makes the range invalid, and an invalid one is ignored.
  if (lastByte < from) return WHOLE;
  if (from >= size) return UNSATISFIABLE;
  return { kind: 'part', from, to: Math.min(lastByte + 1, size) };
}

/** §14.1.2: the last N bytes, all of them when there are fewer. */
function suffix(length: string, size: number): RequestedRange {
  if (length === '') return WHOLE;
  const bytes = Number(length);
  if (bytes === 0 || size === 0) return UNSATISFIABLE;
  return { kind: 'part', from: Math.max(0, size - bytes), to: size };
}
