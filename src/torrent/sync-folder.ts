import { open } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileError, systemCode } from './file-error.ts';

/** The folders from a file's own up to `root`, both included. */
export function foldersUpTo(path: string, root: string): string[] {
  const folders = [resolve(root)];
  for (const name of relative(resolve(root), dirname(path)).split(sep)) {
    if (name !== '') folders.push(resolve(folders.at(-1) ?? root, name));
  }
  return folders;
}

/** The folders that files lie in, each once. */
export function foldersOf(files: readonly { readonly path: string; readonly root: string | null }[]): Set<string> {
  const folders = new Set<string>();
  let last = '';
  for (const { path, root } of files) {
    // Neighbours lie in one folder, mostly.
    if (root === null || dirname(path) === last) continue;
    last = dirname(path);
    for (const folder of foldersUpTo(path, root)) folders.add(folder);
  }
  return folders;
}

/** Makes the names in a folder durable, where the system can do that (Windows does it by itself). */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  try {
    await using handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    // Network file systems refuse to sync a folder; the file itself is safe.
    if (!['EINVAL', 'ENOTSUP', 'EBADF'].includes(systemCode(error) ?? '')) {
      throw fileError(error, 'cannot sync a folder', { path: folder });
    }
  }
}
