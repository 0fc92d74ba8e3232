import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import { fileError, systemCode } from './file-error.ts';
import { fileIdentity } from './file-identity.ts';
import type { ManyFiles } from './file-thread.ts';

export interface EnumeratedFile {
  /** Absolute, free of links. */
  readonly path: string;
  /** Below the root; a file that is the root itself has its own name. */
  readonly components: readonly string[];
  /** In bytes. */
  readonly size: number;
  readonly mtimeMs: number;
  readonly identity: FileIdentity;
}

/** Why something that lies in a folder is not shared with it. */
export type LeftOutReason =
  /** A symbolic link: never followed. */
  | 'link'
  /** A pipe, socket or device. */
  | 'special'
  /** Its name is no text. */
  | 'name'
  /** A folder with nothing in it. */
  | 'empty'
  /** Written by file managers, for themselves. */
  | 'clutter';

export interface LeftOut {
  readonly reason: LeftOutReason;
  readonly count: number;
  /** The first of them, relative to the root, with '/' between the components. */
  readonly names: readonly string[];
}

export interface EnumeratedTree {
  readonly root: 'file' | 'folder';
  /** The name under which the person dropped it. */
  readonly name: string;
  /** Ordered by their names, so that the same tree gives the same list everywhere. */
  readonly files: readonly EnumeratedFile[];
  readonly totalBytes: number;
  /** At most one for each reason. */
  readonly leftOut: readonly LeftOut[];
}

const MAX_FILES = 100_000;
const NS_IN_MS = 1_000_000n;
export const MAX_LEVELS = 16;
/** Names kept for each reason: enough to recognise what is meant. */
const MAX_LEFT_OUT_NAMES = 10;
const CLUTTER = new Set(['.ds_store', 'thumbs.db', 'desktop.ini']);
/** What a name that is not UTF-8 turns into; no file has it as its real name. */
const NO_TEXT = '\uFFFD';

/**
 * Lists what would be shared. Links inside are never followed; a link that is dropped itself is, once, because people
 * drop links, and it keeps its own name.
 */
export function enumerateTree(path: string, signal: AbortSignal): Promise<EnumeratedTree> {
  return enumerateWith({}, path, signal);
}

export interface EnumerateOptions {
  readonly mostFiles?: number;
  /** Looks at the files of a folder together; each is looked at alone when left out. */
  readonly many?: ManyFiles | undefined;
}

export async function enumerateWith(
  { mostFiles = MAX_FILES, many }: EnumerateOptions,
  path: string,
  signal: AbortSignal,
): Promise<EnumeratedTree> {
  signal.throwIfAborted();
  const name = basename(resolve(path));
  if (name === '') throw new AppError('bad-input', 'a whole disk cannot be shared', { path });
  const real = await attempt(path, () => realpath(path));
  const stat = await attempt(real, () => lstat(real, { bigint: true }));
  const walk = new Walk({ mostFiles, many }, signal);
  if (stat.isDirectory()) await walk.folder(real, []);
  else if (stat.isFile()) await walk.file(real, [name]);
  else throw new AppError('bad-input', 'neither a file nor a folder', { path });
  return { root: stat.isDirectory() ? 'folder' : 'file', name, ...walk.result() };
}

class Walk {
  readonly #mostFiles: number;
  readonly #many: ManyFiles | undefined;
  readonly #signal: AbortSignal;
  readonly #files: EnumeratedFile[] = [];
  readonly #leftOut = new Map<LeftOutReason, { reason: LeftOutReason; count: number; names: string[] }>();

  constructor({ mostFiles, many }: { mostFiles: number; many: ManyFiles | undefined }, signal: AbortSignal) {
    this.#mostFiles = mostFiles;
    this.#many = many;
    this.#signal = signal;
  }

  result(): Omit<EnumeratedTree, 'root' | 'name'> {
    return {
      files: this.#files,
      totalBytes: this.#files.reduce((bytes, file) => bytes + file.size, 0),
      leftOut: [...this.#leftOut.values()],
    };
  }

  async file(path: string, components: readonly string[], known?: FileIdentity): Promise<void> {
    if (this.#files.length >= this.#mostFiles) {
      const limit = { limit: 'files', most: this.#mostFiles };
      throw new AppError('too-large', 'more files than an item can have', limit);
    }
    const identity = known ?? (await this.#look(path));
    const mtimeMs = Number(BigInt(identity.mtimeNs) / NS_IN_MS);
    this.#files.push({ path, components, size: identity.size, mtimeMs, identity });
  }

  async #look(path: string): Promise<FileIdentity> {
    const stat = await attempt(path, () => lstat(path, { bigint: true }));
    // Swapped for something else since its folder was read.
    if (!stat.isFile()) throw new AppError('file-changed', 'a file changed while the folder was read', { path });
    return fileIdentity(stat);
  }

  async folder(path: string, above: readonly string[]): Promise<void> {
    const entries = await attempt(path, () => readdir(path, { withFileTypes: true }));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (entries.length === 0 && above.length > 0) this.#leave('empty', above);
    const known = await this.#lookAtAll(entries, path);
    for (const entry of entries) {
      this.#signal.throwIfAborted();
      await this.#entry(entry, join(path, entry.name), [...above, entry.name], known.get(entry.name));
    }
  }

  /** What the files of a folder are, by their names; one that is left out is looked at alone. */
  async #lookAtAll(entries: readonly Dirent[], folder: string): Promise<ReadonlyMap<string, FileIdentity>> {
    // Beyond the limit nothing is looked at.
    const files = entries.filter((entry) => entry.isFile()).slice(0, this.#mostFiles - this.#files.length);
    const paths = files.map(({ name }) => join(folder, name));
    const found = (await this.#many?.look(paths, this.#signal)) ?? [];
    return new Map(files.flatMap(({ name }, index) => (found[index] === undefined ? [] : [[name, found[index]]])));
  }

  async #entry(
    entry: Dirent,
    path: string,
    components: readonly string[],
    known: FileIdentity | undefined,
  ): Promise<void> {
    if (components.length > MAX_LEVELS) {
      throw new AppError('too-large', 'folders nested too deep', { limit: 'levels', most: MAX_LEVELS, path });
    }
    if (entry.isSymbolicLink()) this.#leave('link', components);
    else if (CLUTTER.has(entry.name.toLowerCase())) this.#leave('clutter', components);
    else if (await isNoText(entry.name, path)) this.#leave('name', components);
    else if (entry.isDirectory()) await this.folder(path, components);
    else if (entry.isFile()) await this.file(path, components, known);
    else this.#leave('special', components);
  }

  #leave(reason: LeftOutReason, components: readonly string[]): void {
    const left = this.#leftOut.get(reason) ?? { reason, count: 0, names: [] };
    this.#leftOut.set(reason, left);
    left.count += 1;
    if (left.names.length < MAX_LEFT_OUT_NAMES) left.names.push(components.join('/'));
  }
}

/** A name that is not UTF-8 cannot be opened by the text it was read as. */
async function isNoText(name: string, path: string): Promise<boolean> {
  if (!name.includes(NO_TEXT)) return false;
  try {
    await lstat(path);
    return false;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    throw fileError(error, 'cannot look at what was chosen', { path });
  }
}

async function attempt<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    // Only a link that was dropped itself is followed, so this is one that leads to itself.
    if (systemCode(cause) === 'ELOOP') throw new AppError('file-missing', 'the link leads nowhere', { path }, cause);
    throw fileError(cause, 'cannot read what was chosen', { path });
  }
}
