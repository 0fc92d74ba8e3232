import type { BigIntStats } from 'node:fs';
import {
  close as closeFile,
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import type { FileIdentity } from '../contract/swarm.ts';
import { FILE_MODE, FOLDER_MODE, GUARDED, relativeInside } from './contained-file.ts';
import { systemCode } from './file-error.ts';
import { fileIdentity, sameIdentity } from './file-identity.ts';

/** A file of which all lies in one piece. */
export interface SmallFile {
  readonly path: string;
  /** The folder that must contain it; null for a sharer's own original. */
  readonly root: string | null;
  /** What it must be before and after it is read; null = it is to be made, and must not be there. */
  readonly identity: FileIdentity | null;
  /** All of it, in memory that all threads see. */
  readonly bytes: Uint8Array;
}

/** Reads files into their memory, or makes files of it. */
export interface SmallFilesJob {
  readonly kind: 'read' | 'write';
  readonly files: readonly SmallFile[];
}

/** A file that was written and is to be put on the disk for good. */
export interface WrittenFile {
  readonly path: string;
  readonly root: string;
  /** In bytes; one of another length is not ours any more. */
  readonly length: number;
}

/** Disks put many files on their platters as fast as one. */
const SYNCED_TOGETHER = 16;
const sync = promisify(fsync);
const close = promisify(closeFile);

/**
 * Does the job on this thread, with the checks of `openContained` and `StoreFile`; a file takes a tenth of the processor time
 * that it takes where each step is waited for. Says for each file whether it was done: for the others, and to know why not,
 * there is the usual way.
 */
export function runSmallFiles({ kind, files }: SmallFilesJob): boolean[] {
  const roots = new RealRoots();
  return files.map((file) => {
    try {
      return kind === 'read' ? readOne(file, roots) : writeOne(file, roots);
    } catch {
      return false;
    }
  });
}

/** What a file is from now on, or the system's code when the disk does not take it; null when it was not tried. */
export type SyncAnswer = FileIdentity | string | null;

/** The same for `StoreFile.finish`. */
export async function syncFiles(files: readonly WrittenFile[]): Promise<SyncAnswer[]> {
  const roots = new RealRoots();
  const identities: SyncAnswer[] = [];
  for (let from = 0; from < files.length; from += SYNCED_TOGETHER) {
    const together = files.slice(from, from + SYNCED_TOGETHER);
    identities.push(...(await Promise.all(together.map((file) => syncOne(file, roots).catch(() => null)))));
  }
  return identities;
}

/** Roots without links, each looked up once in a job: that takes a step for each folder above it. */
class RealRoots {
  readonly #known = new Map<string, string>();

  of(root: string): string {
    const known = this.#known.get(root) ?? realpathSync.native(root);
    this.#known.set(root, known);
    return known;
  }
}

function readOne({ path, root, identity, bytes }: SmallFile, roots: RealRoots): boolean {
  if (identity === null) return false;
  const fd = root === null ? openSync(path, constants.O_RDONLY | GUARDED) : openInside({ path, root }, roots, 'read');
  try {
    if (!isStill(fd, identity)) return false;
    for (let at = 0; at < bytes.length;) {
      const read = readSync(fd, bytes, at, bytes.length - at, at);
      if (read === 0) return false;
      at += read;
    }
    return isStill(fd, identity);
  } finally {
    closeSync(fd);
  }
}

function isStill(fd: number, identity: FileIdentity): boolean {
  const stat = fstatSync(fd, { bigint: true });
  return stat.isFile() && stat.nlink > 0n && sameIdentity(fileIdentity(stat), identity);
}

/** What was written in part is left to the usual way, which writes all of it. */
function writeOne({ path, root, bytes }: SmallFile, roots: RealRoots): boolean {
  if (root === null) return false;
  const fd = openInside({ path, root }, roots, 'create');
  try {
    // By their length files of ours are told from those of others, also when the disk is full in the middle.
    ftruncateSync(fd, bytes.length);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
    const { size, nlink } = fstatSync(fd);
    return size === bytes.length && nlink > 0;
  } finally {
    closeSync(fd);
  }
}

async function syncOne({ path, root, length }: WrittenFile, roots: RealRoots): Promise<SyncAnswer> {
  const fd = openInside({ path, root }, roots, 'write');
  try {
    await sync(fd);
    const stat = fstatSync(fd, { bigint: true });
    return stat.nlink > 0n && Number(stat.size) === length ? fileIdentity(stat) : null;
  } catch (error) {
    // A system tells it once: asked again it would say that all is well.
    return systemCode(error) ?? 'EIO';
  } finally {
    // A disk that did not take it may fail again here, and what was said before is what counts.
    await close(fd).catch(() => undefined);
  }
}

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

function openInside(
  { path, root }: { readonly path: string; readonly root: string },
  roots: RealRoots,
  mode: keyof typeof FLAGS,
): number {
  const real = roots.of(root);
  const inside = join(real, relativeInside(path, root));
  checkFolders(inside, real, mode === 'create');
  const fd = openSync(inside, FLAGS[mode] | GUARDED, FILE_MODE);
  try {
    // Looked at again: a folder swapped for a link between the look and the open would have led elsewhere.
    checkFolders(inside, real, false);
    requireSame(lstatSync(inside, { bigint: true }), fstatSync(fd, { bigint: true }));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function requireSame(there: BigIntStats, opened: BigIntStats): void {
  if (!opened.isFile() || there.ino !== opened.ino || there.dev !== opened.dev) throw new Error('another file');
}

function checkFolders(path: string, real: string, make: boolean): void {
  let folder = real;
  for (const name of relative(real, dirname(path)).split(sep)) {
    if (name === '') continue;
    folder = join(folder, name);
    if (!isFolder(folder, make)) throw new Error('no folder');
  }
}

function isFolder(path: string, make: boolean): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    if (!make || systemCode(error) !== 'ENOENT') throw error;
    mkdirSync(path, FOLDER_MODE);
    return lstatSync(path).isDirectory();
  }
}
