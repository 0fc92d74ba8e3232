import { link, lstat, mkdir, open, readdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { realRoot } from './contained-file.ts';
import { fileError, systemCode } from './file-error.ts';
import { collisionKey, numberedName, safeName, uniqueNames } from './safe-name.ts';

export interface ItemToPlace {
  /** The sphere's folder; it must be there. */
  readonly folder: string;
  readonly root: 'file' | 'folder';
  /** As the sharer calls the item. */
  readonly name: string;
  /** Path components below the item; a single file has only its name. */
  readonly files: readonly (readonly string[])[];
}

export interface PlacedItem {
  /** The item's own file or folder, made and empty; nothing of that name was there before. */
  readonly path: string;
  /** What must contain the files: the sphere's folder without links. */
  readonly root: string;
  /** Absolute, in the order of the input; the files of a folder are not made yet. */
  readonly files: readonly string[];
}

const MAX_TRIES = 1000;

/** Reserves the place of a received item. An existing file or folder is never touched: the item becomes "name (2)". */
export async function placeItem(item: ItemToPlace, signal: AbortSignal): Promise<PlacedItem> {
  const root = await realRoot(item.folder);
  const make = item.root === 'file' ? makeFile : (path: string) => mkdir(path);
  const path = await makeFree({ folder: root, name: item.name, kind: item.root, make }, signal);
  if (path === null) throw new AppError('disk-error', 'the disk refuses the item', { folder: root });
  if (item.root === 'file') return { path, root, files: [path] };
  return { path, root, files: uniqueNames(item.files).map((components) => join(path, ...components)) };
}

export interface LinkToPlace {
  readonly folder: string;
  readonly name: string;
  /** Absolute path of the shared original. */
  readonly target: string;
  readonly kind: 'file' | 'folder';
  readonly platform?: NodeJS.Platform;
}

/**
 * Shows a shared original in the sphere's folder by a link for people; nothing of ours ever opens it. Gives its path,
 * or null where the disk has no links. On Windows a file gets a hard link, which changes the original's ctime: the
 * link must be made before the file is hashed, and a second one would make an earlier share look changed.
 */
export async function placeLink(input: LinkToPlace, signal: AbortSignal): Promise<string | null> {
  const { target, kind, name, platform = process.platform } = input;
  const folder = await realRoot(input.folder);
  if (platform === 'win32' && kind === 'file' && (await hasLinks(target))) return null;
  const onWindows = (path: string): Promise<void> =>
    kind === 'folder' ? symlink(target, path, 'junction') : link(target, path);
  const make = platform === 'win32' ? onWindows : (path: string) => symlink(target, path);
  return makeFree({ folder, name, kind, make }, signal);
}

async function hasLinks(target: string): Promise<boolean> {
  try {
    return (await lstat(target)).nlink > 1;
  } catch (cause) {
    throw fileError(cause, 'cannot look at the original', { path: target });
  }
}

/** Takes a link away that `placeLink` made. Whatever else lies there by now is left alone. */
export async function removeLink(link: { readonly path: string; readonly target: string }): Promise<void> {
  try {
    if (await isLinkTo(link)) await unlink(link.path);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return;
    throw fileError(cause, 'cannot take the link away', { path: link.path });
  }
}

/** A hard link only as long as it is not the last name of its bytes. */
async function isLinkTo({ path, target }: { readonly path: string; readonly target: string }): Promise<boolean> {
  const stat = await lstat(path, { bigint: true });
  if (stat.isSymbolicLink()) return true;
  const original = await lstat(target, { bigint: true });
  return stat.isFile() && stat.ino === original.ino && stat.dev === original.dev && stat.nlink > 1n;
}

interface Making {
  readonly folder: string;
  readonly name: string;
  readonly kind: 'file' | 'folder';
  /** Must fail with EEXIST when something is there. */
  readonly make: (path: string) => Promise<unknown>;
}

/** Null when the disk cannot make such a thing at all. */
async function makeFree({ folder, name, kind, make }: Making, signal: AbortSignal): Promise<string | null> {
  const safe = safeName(name);
  const taken = await takenKeys(folder);
  for (let number = 1; number <= MAX_TRIES; number += 1) {
    signal.throwIfAborted();
    const candidate = number === 1 ? safe : numberedName(safe, number, kind);
    // Compared by key as well: on another disk, or after a move, "Film" and "film" are one.
    if (taken.has(collisionKey(candidate))) continue;
    const path = join(folder, candidate);
    try {
      await make(path);
      return path;
    } catch (cause) {
      const code = systemCode(cause);
      if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EXDEV' || code === 'ENOSYS') return null;
      if (code !== 'EEXIST') throw fileError(cause, 'cannot make the item', { path });
    }
  }
  throw new AppError('conflict', 'every name for the item is taken', { folder });
}

async function takenKeys(folder: string): Promise<Set<string>> {
  try {
    return new Set((await readdir(folder)).map(collisionKey));
  } catch (cause) {
    throw fileError(cause, 'cannot read the folder', { path: folder });
  }
}

async function makeFile(path: string): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  await handle.close();
}
