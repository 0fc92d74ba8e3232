import { toUtf8 } from './bytes.ts';
import { AppError } from './errors.ts';

/** The most that one message says, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 200_000;
/** Of one text in a sphere: enough for all those bytes, with room for whole lines. */
export const MAX_PARTS = 32;

const LINE_FEED = 10;

/** Fails with `too-large` when one message cannot say so much. */
export function requireSayable(text: string): void {
  const bytes = toUtf8(text).length;
  if (bytes <= MAX_TEXT_BYTES) return;
  throw new AppError('too-large', 'the message is too long', { bytes, maxBytes: MAX_TEXT_BYTES });
}

/**
 * The pieces of a text, of at most `maxBytes` bytes of UTF-8 each; joined they are the text again. A piece ends with a
 * line where its last quarter has an end of one, else between two code points.
 */
export function cutText(text: string, maxBytes: number): Uint8Array<ArrayBuffer>[] {
  const bytes = toUtf8(text);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < bytes.length || pieces.length === 0;) {
    const end = endOfPiece(bytes, from, maxBytes);
    pieces.push(bytes.subarray(from, end));
    from = end;
  }
  return pieces;
}

function endOfPiece(bytes: Uint8Array, from: number, maxBytes: number): number {
  let end = from + maxBytes;
  if (end >= bytes.length) return bytes.length;
  const lineEnd = bytes.lastIndexOf(LINE_FEED, end - 1) + 1;
  if (lineEnd > from + (maxBytes * 3) / 4) return lineEnd;
  // RFC 3629 §3: the other bytes of a code point begin with the bits 10.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}
