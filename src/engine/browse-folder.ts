import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import { isWithin } from '../torrent/contained-file.ts';

const MAX_ENTRIES = 5000;

interface FolderEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: 'folder' | 'file';
  readonly bytes: number;
}

export interface FolderListing {
  readonly path: string;
  /** null at the home folder itself. */
  readonly parent: string | null;
  readonly entries: FolderEntry[];
}

/** Lists one folder inside `home`; hidden entries and whatever a link leads out of `home` are left out. */
export async function browseFolder(
  home: string,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<FolderListing> {
  const root = await realpath(home);
  const wanted = await resolveInside(root, folder ?? root);
  const listed = await readFolder(wanted);
  const entries: FolderEntry[] = [];
  for (const entry of listed.filter(({ name }) => !name.startsWith('.')).slice(0, MAX_ENTRIES)) {
    signal.throwIfAborted();
    const described = await describe(root, path.join(wanted, entry.name), entry.name);
    if (described !== undefined) entries.push(described);
  }
  entries.sort((a, b) => (a.kind === b.kind ? a.name.localeCompare(b.name) : a.kind === 'folder' ? -1 : 1));
  return { path: wanted, parent: wanted === root ? null : path.dirname(wanted), entries };
}

async function resolveInside(root: string, folder: string): Promise<string> {
  const resolved = await realpath(path.resolve(root, folder)).catch((error: unknown) => {
    throw new AppError('not-found', 'the folder does not exist', {}, error);
  });
  if (!isWithin(root, resolved)) throw new AppError('path-outside', 'the folder is outside of the home folder');
  return resolved;
}

async function readFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new AppError('not-found', 'the folder cannot be read', {}, error);
  }
}

async function describe(root: string, file: string, name: string): Promise<FolderEntry | undefined> {
  try {
    const own = await lstat(file);
    const target = own.isSymbolicLink() ? await realpath(file) : file;
    if (!isWithin(root, target)) return undefined;
    const facts = own.isSymbolicLink() ? await stat(target) : own;
    if (facts.isDirectory()) return { name, path: file, kind: 'folder', bytes: 0 };
    return facts.isFile() ? { name, path: file, kind: 'file', bytes: facts.size } : undefined;
  } catch {
    // Gone or unreadable since the folder was read: the picker simply does not offer it.
    return undefined;
  }
}
