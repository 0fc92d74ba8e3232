import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileIdentity } from '../contract/swarm.ts';
import { enumerateWith } from '../torrent/enumerate.ts';
import { fileIdentity } from '../torrent/file-identity.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';

/** A file or folder that lies in a sphere's folder. */
export interface FolderEntry {
  readonly name: string;
  /** Absolute, free of links. */
  readonly path: string;
  readonly kind: 'file' | 'folder';
}

/** What an entry is made of now; the same again later means that nobody wrote to it in between. */
export interface EntryLook {
  readonly text: string;
  readonly identities: readonly FileIdentity[];
}

/** Endings that programs give to what they are still writing. */
const UNFINISHED =
  /\.(?:part|partial|crdownload|download|opdownload|tmp|temp|swp|swx|filepart|aria2|!ut|!qb|bc!|ut!|lock|lck)$/i;
/** Hidden files, and what office programs and editors write beside a document. */
const ASIDE = /^(?:\.|~\$|~)|~$/;
const CLUTTER = new Set(['thumbs.db', 'desktop.ini', 'lost+found', '$recycle.bin', 'system volume information']);

/** Whether a program writes such names for itself or for the time being. */
export function isUnfinishedName(name: string): boolean {
  return UNFINISHED.test(name) || ASIDE.test(name) || CLUTTER.has(name.toLowerCase());
}

/** Files and folders that may have been put there to be shared; [] while the folder is not there. */
export async function listEntries(folder: string): Promise<FolderEntry[]> {
  let root: string;
  let entries: Dirent[];
  try {
    root = await realpath(folder);
    entries = await readdir(root, { withFileTypes: true });
  } catch {
    // Its disk may be away: it is looked at again.
    return [];
  }
  const reserved = reservedNames(entries.map(({ name }) => name));
  return entries.flatMap((entry): FolderEntry[] => {
    const { name } = entry;
    if (isUnfinishedName(name) || reserved.has(name)) return [];
    if (entry.isFile()) return [{ name, path: join(root, name), kind: 'file' }];
    return entry.isDirectory() ? [{ name, path: join(root, name), kind: 'folder' }] : [];
  });
}

/** A browser reserves the name, and writes into another file beside it that is called the same and more. */
function reservedNames(names: readonly string[]): Set<string> {
  const reserved = new Set<string>();
  for (const name of names.filter((other) => UNFINISHED.test(other))) {
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) reserved.add(name.slice(0, dot));
  }
  return reserved;
}

/** null when there is nothing in it that could be shared, or a program is not done with it. */
export async function lookAtEntry(
  { path, kind }: FolderEntry,
  many: ManyFiles | undefined,
  signal: AbortSignal,
): Promise<EntryLook | null> {
  try {
    if (kind === 'file') {
      const stat = await lstat(path, { bigint: true });
      const identity = fileIdentity(stat);
      return stat.isFile() && identity.size > 0 ? lookOf([identity]) : null;
    }
    const { files } = await enumerateWith({ many }, path, signal);
    const isUnfinished = files.some(({ components }) => UNFINISHED.test(components.at(-1) ?? ''));
    return isUnfinished || files.length === 0 ? null : lookOf(files.map(({ identity }) => identity));
  } catch {
    signal.throwIfAborted();
    // It went away, or cannot be read yet.
    return null;
  }
}

function lookOf(identities: readonly FileIdentity[]): EntryLook {
  return { text: JSON.stringify(identities), identities };
}
