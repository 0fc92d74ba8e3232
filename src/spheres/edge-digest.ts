import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { inBatches } from '../base/in-batches.ts';
import { fileError } from '../torrent/file-error.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { edgeRanges } from './protocol/manifest.ts';

/** SHA-256 in hex of the parts of a file that its manifest entry covers. */
export interface EdgeDigests {
  readonly headSha256: string;
  readonly tailSha256: string;
}

/** A file, and how many bytes of it were or are shared. */
interface Edged {
  readonly path: string;
  readonly bytes: number;
}

/** Files looked at together: of small ones most of the time goes into waiting. */
const TOGETHER = 16;

/** Tells finished files from wrong ones without reading all of them. */
export async function edgeDigests(
  files: readonly Edged[],
  many: ManyFiles | undefined,
  signal: AbortSignal,
): Promise<EdgeDigests[]> {
  const parts = files.map(({ path, bytes }) => {
    const { head, tail } = edgeRanges(bytes);
    // A short file is its own beginning and end.
    return { path, parts: tail.from === head.from ? [head] : [head, tail] };
  });
  const done = await many?.digest(parts, signal);
  return inBatches(files, TOGETHER, async (file, index) => {
    signal.throwIfAborted();
    const [headSha256, tailSha256 = headSha256] = done?.[index] ?? [];
    if (headSha256 === undefined || tailSha256 === undefined) return edgesOf(file);
    return { headSha256, tailSha256 };
  });
}

async function edgesOf({ path, bytes }: Edged): Promise<EdgeDigests> {
  const { head, tail } = edgeRanges(bytes);
  try {
    await using file = await open(path, 'r');
    const headSha256 = await digest(file, head);
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
