import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { concatBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { RecentMap } from '../base/recent-map.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { numberedName, safeName } from '../torrent/safe-name.ts';

/** A piece of a picture that a page sends because it has no file: a frame of the connection carries no whole one. */
export interface PicturePart {
  /** Chosen by the page; the parts of one picture come in order. */
  readonly pictureId: string;
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

const MAX_PICTURE_BYTES = 32 * 1024 * 1024;
/** Of pictures whose end has not come. */
const MAX_UNFINISHED = 4;
const MAX_TRIES = 1000;

/** Puts pictures together that come in parts, in memory. */
export class PastedPictures {
  readonly #unfinished = new RecentMap<string, Uint8Array[]>(MAX_UNFINISHED);

  /** The whole picture with its last part, else undefined. `too-large` gives it up. */
  take({ pictureId, bytes, isLast }: PicturePart): Uint8Array | undefined {
    const parts = [...(this.#unfinished.get(pictureId) ?? []), bytes];
    this.#unfinished.delete(pictureId);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (size > MAX_PICTURE_BYTES) {
      throw new AppError('too-large', 'a pasted picture is too large', { bytes: size, maxBytes: MAX_PICTURE_BYTES });
    }
    if (isLast) return concatBytes(...parts);
    this.#unfinished.set(pictureId, parts);
    return undefined;
  }
}

/** Keeps a picture in a folder under a name that is free there; its path. `bad-input` when it is no picture. */
export async function keepPicture(folder: string, name: string, bytes: Uint8Array): Promise<string> {
  const extension = extensionOf(bytes);
  if (extension === undefined) throw new AppError('bad-input', 'this is no picture that can be shown');
  const safe = safeName(`${name}.${extension}`);
  for (let number = 1; number <= MAX_TRIES; number += 1) {
    const file = path.join(folder, number === 1 ? safe : numberedName(safe, number, 'file'));
    try {
      await writeFile(file, bytes, { flag: 'wx', mode: 0o600 });
      return file;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw fileError(error, 'the picture cannot be kept');
    }
  }
  throw new AppError('conflict', 'every name for the picture is taken');
}

/** By what it begins with: what a page calls it proves nothing. */
function extensionOf(bytes: Uint8Array): string | undefined {
  const ascii = (from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));
  if (ascii(1, 4) === 'PNG') return 'png';
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpg';
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return 'webp';
  return ascii(0, 3) === 'GIF' ? 'gif' : undefined;
}
