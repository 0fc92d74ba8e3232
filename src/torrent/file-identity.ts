import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import { fileError } from './file-error.ts';

export type { FileIdentity } from '../contract/swarm.ts';

/** What tells that a file is still the one it was: any edit, replacement or rename changes at least one part. */
export function fileIdentity(stat: BigIntStats): FileIdentity {
  return {
    size: Number(stat.size),
    mtimeNs: String(stat.mtimeNs),
    ctimeNs: String(stat.ctimeNs),
    inode: String(stat.ino),
  };
}

export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}

/** The identity of a regular file; a link is not followed and is `file-missing`, as is everything that is no file. */
export async function readIdentity(path: string): Promise<FileIdentity> {
  let stat: BigIntStats;
  try {
    stat = await lstat(path, { bigint: true });
  } catch (cause) {
    throw fileError(cause, 'cannot look at a file', { path });
  }
  if (!stat.isFile()) throw new AppError('file-missing', 'no regular file at the path', { path });
  return fileIdentity(stat);
}
