import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { fileError } from '../torrent/file-error.ts';
import { edgeRanges } from './protocol/manifest.ts';

/** SHA-256 in hex of the parts of a file that its manifest entry covers. */
export interface EdgeDigests {
  readonly headSha256: string;
  readonly tailSha256: string;
}

/** Tells a finished file from a wrong one without reading all of it. */
export async function edgeDigests(path: string, bytes: number, signal?: AbortSignal): Promise<EdgeDigests> {
  signal?.throwIfAborted();
  const { head, tail } = edgeRanges(bytes);
  try {
    await using file = await open(path, 'r');
    const headSha256 = await digest(file, head);
    // A short file is its own beginning and end.
    return { headSha256, tailSha256: tail.from === head.from ? headSha256 : await digest(file, tail) };
  } catch (error) {
    throw fileError(error, 'the ends of the file cannot be read');
  }
}

async function digest(file: FileHandle, range: { from: number; to: number }): Promise<string> {
  const length = range.to - range.from;
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, range.from);
  if (bytesRead < length) throw new AppError('file-changed', 'the file is shorter than it was', { length });
  return createHash('sha256').update(buffer).digest('hex');
}
