import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { AppError } from '../base/errors.ts';
import { fileError, systemCode } from './file-error.ts';
import { isWithin } from './is-within.ts';

// Windows has neither flag; opening a pipe put in a file's place must not wait for its other end.
export const GUARDED = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Nothing that arrives from others can be run. */
export const FILE_MODE = 0o644;
export const FOLDER_MODE = 0o755;

export type OpenMode =
  | 'read'
  /** The file must be there. */
  | 'write'
  /** The file and the folders above it, up to the root, are made when they are not there. */
  | 'create';

/** Opens a regular file at its absolute path. A link in the file's place is refused. */
export async function openFile(path: string, mode: OpenMode = 'read'): Promise<FileHandle> {
  const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | (mode === 'create' ? constants.O_CREAT : 0);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, flags | GUARDED, FILE_MODE);
    if ((await handle.stat()).isFile()) return handle;
  } catch (cause) {
    await handle?.close();
    throw mode === 'read' ? fileError(cause, 'cannot open a file', { path }) : writeError(cause, path);
  }
  await handle.close();
  throw new AppError('file-missing', 'no regular file at the path', { path });
}

/**
 * Opens a file that must lie inside `root` without any link on the way, so that nothing received can reach the
 * person's other files. `root` itself may be reached by a link: the person chose it.
 */
export async function openContained(path: string, root: string, mode: OpenMode): Promise<FileHandle> {
  const real = await realRoot(root);
  const inside = join(real, relativeInside(path, root));
  await checkFolders(inside, real, mode === 'create');
  const handle = await openFile(inside, mode);
  try {
    // Looked at again: a folder swapped for a link between the look and the open would have led elsewhere.
    await checkFolders(inside, real, false);
    const [there, opened] = await Promise.all([lstat(inside, { bigint: true }), handle.stat({ bigint: true })]);
    if (there.ino !== opened.ino || there.dev !== opened.dev) throw outside(path);
    return handle;
  } catch (cause) {
    await handle.close();
    throw fileError(cause, 'cannot check where a file lies', { path });
  }
}

/** The path below `root`; fails with `path-outside` when it is not strictly inside, or not spelt plainly. */
export function relativeInside(path: string, root: string): string {
  const folder = resolve(root);
  const plain = isAbsolute(path) && resolve(path) === path;
  const below = relative(folder, path);
  if (!plain || below === '' || !isWithin(folder, path)) throw outside(path);
  return below;
}

/** Where the folder really is; a missing one (an unplugged disk) is not made but `file-missing`. */
export async function realRoot(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (cause) {
    throw fileError(cause, 'the folder is not there', { path: root });
  }
}

async function checkFolders(path: string, real: string, make: boolean): Promise<void> {
  const names = relative(real, dirname(path))
    .split(sep)
    .filter((name) => name !== '');
  let folder = real;
  for (const name of names) {
    folder = join(folder, name);
    if (!(await look(folder, make)).isDirectory()) throw outside(folder);
  }
}

async function look(folder: string, make: boolean): Promise<Stats> {
  try {
    return await lstat(folder);
  } catch (cause) {
    if (make && systemCode(cause) === 'ENOENT') {
      await makeFolder(folder);
      return look(folder, false);
    }
    throw fileError(cause, 'a folder is not there', { path: folder });
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, FOLDER_MODE);
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw writeError(cause, folder);
  }
}

/** A folder one may not write to is no missing file. */
function writeError(cause: unknown, path: string): Error {
  const denied = ['EACCES', 'EPERM', 'EROFS'].includes(systemCode(cause) ?? '');
  if (denied) return new AppError('disk-error', 'the folder cannot be written to', { path }, cause);
  return fileError(cause, 'cannot write to the folder', { path });
}

function outside(path: string): AppError {
  return new AppError('path-outside', 'a path leads out of its folder', { path });
}
