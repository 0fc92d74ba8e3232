import { lstat, readdir, readlink, realpath, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Segment } from '../contract/swarm.ts';
import { fileError, systemCode } from './file-error.ts';
import { fileIdentity, sameIdentity } from './file-identity.ts';
import { removeLink } from './place-files.ts';

/**
 * Deletes the files of a received item, and the folders of it that are empty then. What was edited or replaced since it
 * was received is the person's own work and stays, and so does everything that was put beside it. Gives how many of the
 * item's files stayed.
 */
export async function removeCopy(
  item: { /** Absolute, its file or folder. */ readonly path: string; readonly segments: readonly Segment[] },
  signal: AbortSignal,
): Promise<number> {
  const folders = new Set<string>();
  let stayed = 0;
  for (const segment of item.segments) {
    signal.throwIfAborted();
    // A sharer's own original is never touched.
    if (segment.kind !== 'file' || segment.root === null) continue;
    if (!(await removeOwn(segment))) stayed += 1;
    for (let folder = dirname(segment.path); isWithin(folder, item.path); folder = dirname(folder)) folders.add(folder);
  }
  const deepestFirst = [...folders].toSorted((a, b) => b.length - a.length);
  for (const folder of deepestFirst) await removeEmpty(folder);
  return stayed;
}

/** Takes every link to a shared original out of a sphere's folder. */
export async function removeLinks(link: { readonly folder: string; readonly target: string }): Promise<void> {
  const { folder, target } = link;
  try {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (await leadsTo(path, target)) await removeLink({ path, target });
    }
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw fileError(cause, 'cannot take the link away', { folder });
  }
}

/** A symbolic link to the target, or on Windows a second name of the same file. */
async function leadsTo(path: string, target: string): Promise<boolean> {
  const stat = await lstat(path, { bigint: true });
  if (stat.isSymbolicLink()) return resolve(dirname(path), await readlink(path)) === target;
  if (!stat.isFile() || stat.nlink < 2n || path === target) return false;
  try {
    const original = await lstat(target, { bigint: true });
    return original.ino === stat.ino && original.dev === stat.dev;
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return false;
    throw cause;
  }
}

async function removeOwn({ path, identity }: Extract<Segment, { kind: 'file' }>): Promise<boolean> {
  try {
    // A folder in the path that is a link by now leads to something else.
    if ((await realpath(dirname(path))) !== dirname(path)) return false;
    const stat = await lstat(path, { bigint: true });
    if (!stat.isFile()) return false;
    if (identity !== null && !sameIdentity(fileIdentity(stat), identity)) return false;
    await unlink(path);
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return true;
    throw fileError(cause, 'cannot delete a file', { path });
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (cause) {
    const code = systemCode(cause) ?? '';
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) {
      throw fileError(cause, 'cannot take an empty folder away', { path: folder });
    }
  }
}

function isWithin(folder: string, top: string): boolean {
  return folder === top || folder.startsWith(`${top}/`) || folder.startsWith(`${top}\\`);
}
