import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { fileError } from './file-error.ts';

/** How much of each end of a file is digested. */
export const EDGE_BYTES = 65_536;

/** SHA-256 of a file's first and last 64 KiB, hex; of the whole file, twice, when it is smaller. */
export interface EdgeDigests {
  readonly head: string;
  readonly tail: string;
}

/** Tells a finished file from a wrong one without reading all of it. */
export async function edgeDigests(path: string, size: number, signal?: AbortSignal): Promise<EdgeDigests> {
  signal?.throwIfAborted();
  try {
    await using file = await open(path, 'r');
    const length = Math.min(EDGE_BYTES, size);
    const digest = async (position: number): Promise<string> => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, position);
      if (bytesRead < length) throw new AppError('file-changed', 'the file is shorter than it was', { size });
      return createHash('sha256').update(buffer).digest('hex');
    };
    return { head: await digest(0), tail: await digest(size - length) };
  } catch (error) {
    throw fileError(error, 'the ends of the file cannot be read');
  }
}
