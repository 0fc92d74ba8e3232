import { AppError } from '../base/errors.ts';
import type { Span } from './byte-space.ts';

/** Space that belongs to no file must be zero, and inline bytes what the sharer announced: nothing hides there. */
export function checkSpan(span: Span, plain: Uint8Array): void {
  if (span.kind === 'file') return;
  const part = plain.subarray(span.at, span.at + span.length);
  const expected = span.kind === 'bytes' ? span.bytes : new Uint8Array(span.length);
  if (Buffer.compare(part, expected) !== 0) {
    throw new AppError('invalid-torrent', `the ${span.kind} between the files differ from what was announced`);
  }
}
