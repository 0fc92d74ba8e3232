import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, mkdir, open, readdir, readlink, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { openFile } from './contained-file.ts';
import { fileError, systemCode } from './file-error.ts';
import type { FileIdentity } from './file-identity.ts';
import { fileIdentity } from './file-identity.ts';
import { syncFolder } from './sync-folder.ts';

/** What a tree is: `bytes` to be read, `stored` of them on the disk (a sparse file has fewer). */
export interface TreeSize {
  readonly bytes: number;
  readonly stored: number;
}

interface TreeCopyDeps {
  /** The folder that is copied; it must be there. */
  readonly from: string;
  /** The folder that the copy goes into; it must be there, and ours alone. */
  readonly to: string;
  /** Of a file that is only another name of one that lies elsewhere: it stays where it is. */
  readonly isForeign: (mark: string) => boolean;
  readonly onBytes: (bytes: number) => void;
}

const CHUNK_BYTES = 1024 * 1024;
/** Of a block device: what `blocks` counts, whatever the disk's own blocks are. */
const BLOCK_BYTES = 512n;

/** Tells a file as it is now from every other, and from what it was before a change. */
export const markOfIdentity = ({ inode, size, mtimeNs, ctimeNs }: FileIdentity): string =>
  `${inode} ${size} ${mtimeNs} ${ctimeNs}`;

export const markOf = (stat: BigIntStats): string => markOfIdentity(fileIdentity(stat));

export async function measureTree(folder: string, signal: AbortSignal): Promise<TreeSize> {
  let [bytes, stored] = [0n, 0n];
  for await (const { stat } of walk(folder, '', signal)) {
    if (!stat.isFile()) continue;
    const blocks = stat.blocks * BLOCK_BYTES;
    bytes += stat.size;
    stored += blocks < stat.size ? blocks : stat.size;
  }
  return { bytes: Number(bytes), stored: Number(stored) };
}

/**
 * Copies a tree to another disk in passes, until one finds nothing new: others may write to it meanwhile. Each file is on
 * the disk, and was read back and compared, before it counts. Files keep their dates, holes stay holes, links are made anew.
 */
export class TreeCopy {
  readonly #deps: TreeCopyDeps;
  /** By relative path, what the entry was when it was copied. */
  readonly #marks = new Map<string, string>();
  readonly #folders = new Set<string>();
  /** What has a name in the copy because we made it there. */
  readonly #made = new Set<string>();
  /** Links, where the other disk has none: they stay. */
  readonly #left = new Map<string, string>();

  constructor(deps: TreeCopyDeps) {
    this.#deps = deps;
  }

  /** Of what was copied, as it was. */
  get marks(): string[] {
    return [...this.#marks.values()];
  }

  /** What was copied is there after a power cut too. */
  async sync(): Promise<void> {
    for (const path of ['', ...this.#folders]) await syncFolder(join(this.#deps.to, path));
  }

  /** Gives how many entries were new, gone or changed since the pass before. */
  async pass(signal: AbortSignal): Promise<number> {
    const { from, to, isForeign } = this.#deps;
    const gone = new Set(this.#made);
    let changes = 0;
    for await (const { path, stat } of walk(from, '', signal)) {
      const mark = markOf(stat);
      gone.delete(path);
      if (this.#marks.get(path) === mark || this.#left.get(path) === mark) continue;
      // What changes in a folder is seen at its entries.
      if (this.#folders.has(path) || (stat.isFile() && isForeign(mark))) continue;
      changes += 1;
      this.#marks.delete(path);
      const outcome = await this.#entry(path, stat, signal);
      if (outcome === 'copied') this.#marks.set(path, mark);
      if (outcome === 'left') this.#left.set(path, mark);
    }
    for (const path of gone) {
      await rm(join(to, path), { recursive: true, force: true });
      this.#marks.delete(path);
      this.#folders.delete(path);
      this.#made.delete(path);
    }
    return changes + gone.size;
  }

  async #entry(path: string, stat: BigIntStats, signal: AbortSignal): Promise<'copied' | 'changed' | 'left'> {
    const { from, to, onBytes } = this.#deps;
    const [source, target] = [join(from, path), join(to, path)];
    try {
      if (stat.isDirectory()) {
        if (!this.#made.has(path)) await mkdir(target);
        this.#made.add(path);
        this.#folders.add(path);
        return 'copied';
      }
      if (this.#made.has(path)) await rm(target, { recursive: true, force: true });
      else await requireFree(target);
      this.#made.add(path);
      if (stat.isSymbolicLink()) return await copyLink(source, target);
      await copyFile({ source, target, stat, onBytes }, signal);
      return markOf(await lstat(source, { bigint: true })) === markOf(stat) ? 'copied' : 'changed';
    } catch (error) {
      signal.throwIfAborted();
      if (systemCode(error) === 'ENOENT' || isGone(error, source)) return 'changed';
      if (systemCode(error) === 'EEXIST') throw nameTaken(target, error);
      throw fileError(error, 'the folder cannot be copied', { path: source });
    }
  }
}

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

async function copyLink(source: string, target: string): Promise<'copied' | 'left'> {
  const leadsTo = await readlink(source);
  try {
    await symlink(leadsTo, target);
    return 'copied';
  } catch (error) {
    if (NO_LINKS.includes(systemCode(error) ?? '')) return 'left';
    throw error;
  }
}

/** A disk that takes "Beach.jpg" and "beach.jpg" for one would let the second take the place of the first. */
async function requireFree(target: string): Promise<void> {
  if ((await look(target)) !== undefined) throw nameTaken(target);
}

function nameTaken(target: string, cause?: unknown): AppError {
  return new AppError('name-taken', 'two names are one on the other disk', { path: target }, cause);
}

/** Whether it is the source that is not there any more. */
function isGone(error: unknown, source: string): boolean {
  return error instanceof AppError && error.code === 'file-missing' && error.details['path'] === source;
}

interface CopiedTree {
  readonly folder: string;
  /** What was copied, as it was. */
  readonly marks: ReadonlySet<string>;
  readonly unlink?: (path: string) => Promise<void>;
}

/**
 * Deletes from the folder what is still as it was when it was copied, and the folders that are empty then. What is new,
 * was changed since, or cannot be deleted stays. Gives how many files stayed.
 */
export async function removeCopied(tree: CopiedTree, signal: AbortSignal): Promise<number> {
  const { folder, marks, unlink = (path: string) => rm(path, { force: true }) } = tree;
  const folders = [folder];
  let stayed = 0;
  for await (const { path, stat } of walk(folder, '', signal)) {
    const entry = join(folder, path);
    if (stat.isDirectory()) folders.push(entry);
    else if (!marks.has(markOf(stat)) || !(await isDone(unlink(entry)))) stayed += 1;
  }
  for (const one of folders.toReversed()) await isDone(rmdir(one));
  return stayed;
}

/** All of it is in the new place: what a program still has open, or the disk holds on to, is there twice, and no failure. */
async function isDone(removal: Promise<void>): Promise<boolean> {
  try {
    await removal;
    return true;
  } catch {
    return false;
  }
}

interface Entry {
  /** Below the tree's folder. */
  readonly path: string;
  readonly stat: BigIntStats;
}

/** Files, links and folders, a folder before what is in it; links are not followed, pipes and devices are left out. */
async function* walk(root: string, below: string, signal: AbortSignal): AsyncGenerator<Entry> {
  for (const name of await namesIn(join(root, below))) {
    signal.throwIfAborted();
    const path = join(below, name);
    const stat = await look(join(root, path));
    if (stat === undefined || !(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink())) continue;
    yield { path, stat };
    if (stat.isDirectory()) yield* walk(root, path, signal);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw fileError(error, 'a folder cannot be read', { path: folder });
  }
}

async function look(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, 'a file cannot be looked at', { path });
  }
}

interface FileToCopy {
  readonly source: string;
  readonly target: string;
  readonly stat: BigIntStats;
  readonly onBytes: (bytes: number) => void;
}

async function copyFile({ source, target, stat, onBytes }: FileToCopy, signal: AbortSignal): Promise<void> {
  await using from = await openFile(source);
  await using to = await open(target, 'wx+');
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of chunks(from, signal)) {
    hash.update(chunk);
    if (!isZero(chunk)) await writeAll(to, chunk, length);
    length += chunk.length;
    onBytes(chunk.length);
  }
  await to.truncate(length);
  await to.utimes(Number(stat.atimeMs) / 1000, Number(stat.mtimeMs) / 1000);
  await to.sync();
  const written = createHash('sha256');
  for await (const chunk of chunks(to, signal)) written.update(chunk);
  if (!hash.digest().equals(written.digest())) {
    throw new AppError('disk-error', 'the disk gives back other bytes than were written', { path: target });
  }
  // Else it cannot be run here as there, which not every disk can say.
  if ((stat.mode & 0o111n) !== 0n) await chmod(target, Number(stat.mode & 0o777n)).catch(() => undefined);
}

async function* chunks(file: FileHandle, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let position = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

const ZEROS = Buffer.alloc(CHUNK_BYTES);

const isZero = (chunk: Buffer): boolean => chunk.equals(ZEROS.subarray(0, chunk.length));
