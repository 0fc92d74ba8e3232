import { realpath } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { openFile } from '../torrent/contained-file.ts';
import { fileError } from '../torrent/file-error.ts';

/** The text of a regular file of at most `maxBytes`. */
export async function readSmallFile(file: string, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(await readSmallBytes(file, maxBytes));
}

/** A regular file of at most `maxBytes`; anything else a person can name, like a pipe, fails at once. */
export async function readSmallBytes(file: string, maxBytes: number): Promise<Uint8Array> {
  try {
    await using handle = await openFile(await realpath(file));
    const buffer = new Uint8Array(maxBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length > maxBytes) throw new AppError('too-large', 'the file is too long', { maxBytes });
    }
  } catch (error) {
    throw fileError(error, 'the file cannot be read', { path: file });
  }
}
