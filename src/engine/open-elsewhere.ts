import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import { kindOfType } from '../player/media-type.ts';
import { isOpenedElsewhere } from '../player/opened-elsewhere.ts';

export interface OpenedFile {
  /** Names its playlist. */
  readonly key: string;
  /** Absolute. */
  readonly path: string;
  readonly type: string;
  readonly isWhole: boolean;
  /** Where its bytes can be had while they arrive. */
  readonly address: string;
}

/** Hands a file to the program the person uses for it: as it is once it is whole, before that as a playlist. */
export async function openElsewhere(
  file: OpenedFile,
  deps: { readonly playlistsFolder: string; readonly open: (target: string) => Promise<void> },
): Promise<void> {
  const name = path.basename(file.path);
  const { type } = file;
  if (!isOpenedElsewhere({ name, type })) {
    throw new AppError('not-allowed', 'only media is opened in another program', { type });
  }
  if (file.isWhole) {
    await requireFile(file.path);
    await deps.open(file.path);
    return;
  }
  if (!['video', 'audio'].includes(kindOfType(type))) {
    throw new AppError('not-complete', 'only films and sound are opened while they arrive', { type });
  }
  await mkdir(deps.playlistsFolder, { recursive: true, mode: 0o700 });
  const playlist = path.join(deps.playlistsFolder, `${file.key}.m3u`);
  // A bare address would be opened by the browser, and every user of this computer sees what a program is started with.
  await writeFile(playlist, `#EXTM3U\n#EXTINF:-1,${name}\n${file.address}\n`, { mode: 0o600 });
  await deps.open(playlist);
}

/** `file-missing` when the file was moved or deleted outside of the product. */
export async function requireFile(file: string): Promise<void> {
  try {
    if ((await stat(file)).isFile()) return;
  } catch (error) {
    throw new AppError('file-missing', 'the file is not in its place any more', {}, error);
  }
  throw new AppError('file-missing', 'what is in its place is no file');
}
