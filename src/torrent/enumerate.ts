import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import { fileError, systemCode } from './file-error.ts';
import { fileIdentity } from './file-identity.ts';

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

/** Paths in the lists of names are relative to the root, with '/' between the components. */
export interface EnumeratedTree {
  readonly root: 'file' | 'folder';
  /** The name under which the person dropped it. */
  readonly name: string;
  /** Ordered by their names, so that the same tree gives the same list everywhere. */
  readonly files: readonly EnumeratedFile[];
  readonly totalBytes: number;
  /** Symbolic links inside the folder: never followed. */
  readonly skippedLinks: readonly string[];
  /** Clutter of file managers, pipes, sockets, devices, and names that are no text. */
  readonly leftOut: readonly string[];
  readonly emptyFolders: readonly string[];
}

export const MAX_FILES = 10_000;
export const MAX_LEVELS = 16;
const CLUTTER = new Set(['.ds_store', 'thumbs.db', 'desktop.ini']);
/** What a name that is not UTF-8 turns into; no file has it as its real name. */
const NO_TEXT = '\uFFFD';

/**
 * Lists what would be shared. Links inside are never followed; a link that is dropped itself is, once, because people
 * drop links, and it keeps its own name.
 */
export async function enumerateTree(path: string, signal: AbortSignal): Promise<EnumeratedTree> {
  signal.throwIfAborted();
  const name = basename(resolve(path));
  if (name === '') throw new AppError('bad-input', 'a whole disk cannot be shared', { path });
  const real = await attempt(path, () => realpath(path));
  const stat = await attempt(real, () => lstat(real, { bigint: true }));
  const walk = new Walk(signal);
  if (stat.isDirectory()) await walk.folder(real, []);
  else if (stat.isFile()) await walk.file(real, [name]);
  else throw new AppError('bad-input', 'neither a file nor a folder', { path });
  return { root: stat.isDirectory() ? 'folder' : 'file', name, ...walk.result() };
}

class Walk {
  readonly #signal: AbortSignal;
  readonly #files: EnumeratedFile[] = [];
  readonly #skippedLinks: string[] = [];
  readonly #leftOut: string[] = [];
  readonly #emptyFolders: string[] = [];

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  result(): Omit<EnumeratedTree, 'root' | 'name'> {
    return {
      files: this.#files,
      totalBytes: this.#files.reduce((bytes, file) => bytes + file.size, 0),
      skippedLinks: this.#skippedLinks,
      leftOut: this.#leftOut,
      emptyFolders: this.#emptyFolders,
    };
  }

  async file(path: string, components: readonly string[]): Promise<void> {
    if (this.#files.length >= MAX_FILES) {
      throw new AppError('too-large', 'more files than an item can have', { limit: 'files', most: MAX_FILES });
    }
    const stat = await attempt(path, () => lstat(path, { bigint: true }));
    // Swapped for something else since its folder was read.
    if (!stat.isFile()) throw new AppError('file-changed', 'a file changed while the folder was read', { path });
    const identity = fileIdentity(stat);
    this.#files.push({ path, components, size: identity.size, mtimeMs: Number(stat.mtimeMs), identity });
  }

  async folder(path: string, above: readonly string[]): Promise<void> {
    const entries = await attempt(path, () => readdir(path, { withFileTypes: true }));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (entries.length === 0 && above.length > 0) this.#emptyFolders.push(above.join('/'));
    for (const entry of entries) {
      this.#signal.throwIfAborted();
      await this.#entry(entry, join(path, entry.name), [...above, entry.name]);
    }
  }

  async #entry(entry: Dirent, path: string, components: readonly string[]): Promise<void> {
    const relative = components.join('/');
    if (components.length > MAX_LEVELS) {
      throw new AppError('too-large', 'folders nested too deep', { limit: 'levels', most: MAX_LEVELS, path });
    }
    if (entry.isSymbolicLink()) this.#skippedLinks.push(relative);
    else if (CLUTTER.has(entry.name.toLowerCase()) || (await isNoText(entry.name, path))) this.#leftOut.push(relative);
    else if (entry.isDirectory()) await this.folder(path, components);
    else if (entry.isFile()) await this.file(path, components);
    else this.#leftOut.push(relative);
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
