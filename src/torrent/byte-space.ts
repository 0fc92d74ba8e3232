import { AppError } from '../base/errors.ts';
import type { Segment } from '../contract/swarm.ts';

export type FileSegment = Extract<Segment, { kind: 'file' }>;

/** A part of a byte space, `to` exclusive. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** A stretch of a requested range: `at` counts from the range's start, all sizes in bytes. */
export type Span =
  /** `file` is the index among the file segments, `position` the place in that file. */
  | {
      readonly kind: 'file';
      readonly at: number;
      readonly length: number;
      readonly file: number;
      readonly position: number;
    }
  | { readonly kind: 'bytes'; readonly at: number; readonly length: number; readonly bytes: Uint8Array }
  | { readonly kind: 'padding'; readonly at: number; readonly length: number };

interface Placed {
  readonly from: number;
  readonly to: number;
  readonly content: { kind: 'file'; file: number } | { kind: 'bytes'; bytes: Uint8Array };
}

/** The torrent's byte space: files, inline bytes, and zero padding wherever there is neither. */
export class ByteSpace {
  readonly length: number;
  /** In the order they were given; identities and faults name files by their index here. */
  readonly files: readonly FileSegment[];
  readonly #placed: readonly Placed[];

  constructor(segments: readonly Segment[], length: number) {
    this.length = length;
    this.files = segments.filter((segment) => segment.kind === 'file');
    this.#placed = place(segments, length);
  }

  /** What lies in the `length` bytes from `offset` on, in order and without gaps. */
  plan(offset: number, length: number): Span[] {
    if (offset < 0 || length < 0 || offset + length > this.length) {
      throw new AppError('bad-input', 'range outside the torrent', { offset, length, total: this.length });
    }
    const spans: Span[] = [];
    const end = offset + length;
    let cursor = offset;
    for (let index = this.#firstEndingAfter(offset); cursor < end; index += 1) {
      const next = this.#placed[index];
      const from = Math.min(next?.from ?? end, end);
      if (from > cursor) {
        spans.push({ kind: 'padding', at: cursor - offset, length: from - cursor });
        cursor = from;
      }
      if (next === undefined || cursor >= end) continue;
      const to = Math.min(next.to, end);
      spans.push(cut(next, cursor, to, offset));
      cursor = to;
    }
    return spans;
  }

  /** The first and the last piece (both inclusive) that hold bytes of the file; null for an empty file. */
  piecesOf(file: number, pieceLength: number): { first: number; last: number } | null {
    const segment = this.files[file];
    if (segment === undefined || segment.length === 0) return null;
    const last = Math.floor((segment.offset + segment.length - 1) / pieceLength);
    return { first: Math.floor(segment.offset / pieceLength), last };
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#placed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#placed[middle]?.to ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function cut(placed: Placed, from: number, to: number, offset: number): Span {
  const at = from - offset;
  const length = to - from;
  const position = from - placed.from;
  if (placed.content.kind === 'file') return { kind: 'file', at, length, file: placed.content.file, position };
  return { kind: 'bytes', at, length, bytes: placed.content.bytes.subarray(position, position + length) };
}

function place(segments: readonly Segment[], length: number): Placed[] {
  if (!Number.isSafeInteger(length) || length < 0) throw new AppError('bad-input', 'impossible length', { length });
  let file = -1;
  const placed: Placed[] = [];
  for (const segment of segments) {
    if (segment.kind === 'file') file += 1;
    const size = segment.kind === 'file' ? segment.length : segment.bytes.length;
    const to = segment.offset + size;
    if (
      !Number.isSafeInteger(segment.offset) ||
      segment.offset < 0 ||
      !Number.isSafeInteger(to) ||
      to > length ||
      size < 0
    ) {
      throw new AppError('bad-input', 'segment outside the torrent', { offset: segment.offset, size, length });
    }
    if (size === 0) continue;
    const content = segment.kind === 'file' ? ({ kind: 'file', file } as const) : segment;
    placed.push({ from: segment.offset, to, content });
  }
  placed.sort((a, b) => a.from - b.from);
  for (const [index, current] of placed.entries()) {
    if (current.from < (placed[index - 1]?.to ?? 0)) {
      throw new AppError('bad-input', 'segments overlap', { offset: current.from });
    }
  }
  return placed;
}
