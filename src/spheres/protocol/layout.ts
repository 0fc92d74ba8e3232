import { AppError } from '../../base/errors.ts';

/** A run of bytes in the torrent's byte space. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ItemLayout {
  /** In manifest order. */
  readonly files: readonly ByteRange[];
  readonly manifest: ByteRange;
  /** Length of the single torrent file `data`; what no range covers is zero before encryption. */
  readonly totalLength: number;
  readonly pieceLength: number;
}

/** One AES block: a file's first byte begins a counter block. */
const ALIGNMENT = 16;
const MAX_TOTAL_BYTES = 2 ** 44;
const MIN_PIECE_BYTES = 2 ** 18;
/** Who watches waits for whole pieces, and so does who wants one file of many. */
const COMMON_MAX_PIECE_BYTES = 2 ** 20;
const MAX_PIECE_BYTES = 2 ** 26;
/** 22 KiB of SHA-1, so that the metainfo fits beside its event. */
const INLINE_PIECES = Math.floor((22 * 1024) / 20);
/** 2 MB of SHA-1. */
const MAX_PIECES = 100_000;

/** The files, each at a multiple of 16, then the manifest, then zeros up to a Padmé size in whole pieces. */
export function layoutItem(
  fileLengths: readonly number[],
  manifestLength: number,
  pieceLength: number = pieceLengthFor(contentLength(fileLengths, manifestLength)),
): ItemLayout {
  const ranges = place([...fileLengths, manifestLength]);
  const manifest = ranges.at(-1) ?? { offset: 0, length: 0 };
  const padded = padme(manifest.offset + manifest.length);
  const totalLength = Math.max(1, Math.ceil(padded / pieceLength)) * pieceLength;
  if (totalLength > MAX_TOTAL_BYTES) throw new AppError('too-large', 'the item is too long', { bytes: totalLength });
  return { files: ranges.slice(0, -1), manifest, totalLength, pieceLength };
}

/**
 * The smallest piece length whose hashes fit beside the event, up to 1 MiB. Beyond 1 GB the metainfo grows instead, to
 * 2 MB at 100 GB, and then the pieces again. A reader takes whatever length the event names.
 */
export function pieceLengthFor(contentBytes: number): number {
  const bytes = padme(contentBytes);
  let pieceLength = MIN_PIECE_BYTES;
  while (pieceLength < COMMON_MAX_PIECE_BYTES && Math.ceil(bytes / pieceLength) > INLINE_PIECES) pieceLength *= 2;
  while (pieceLength < MAX_PIECE_BYTES && Math.ceil(bytes / pieceLength) > MAX_PIECES) pieceLength *= 2;
  return pieceLength;
}

/**
 * The next size that keeps only the leading bits of the length, so that an observer learns O(log log) bits of it
 * (Padmé of "Reducing Metadata Leakage from Encrypted Files", 2019); at most 12 % more.
 */
export function padme(length: number): number {
  if (length < 2) return length;
  const exponent = Math.floor(Math.log2(length));
  const significant = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - significant);
  return step < 1 ? length : Math.ceil(length / step) * step;
}

function contentLength(fileLengths: readonly number[], manifestLength: number): number {
  const last = place([...fileLengths, manifestLength]).at(-1);
  return last === undefined ? 0 : last.offset + last.length;
}

function place(lengths: readonly number[]): ByteRange[] {
  let offset = 0;
  return lengths.map((length) => {
    if (!Number.isSafeInteger(length) || length < 0 || length > MAX_TOTAL_BYTES) {
      throw new AppError('bad-input', 'not a length', { length });
    }
    const range = { offset, length };
    offset = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT;
    return range;
  });
}
