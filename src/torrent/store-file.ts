import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import type { FileSegment } from './byte-space.ts';
import { openContained, openFile } from './contained-file.ts';
import { fileError, systemCode } from './file-error.ts';
import { fileIdentity, readIdentity, sameIdentity } from './file-identity.ts';
import type { FilePool } from './file-pool.ts';
import type { SmallFile, WrittenFile } from './small-files.ts';

export type FileState =
  /** Nothing is on the disk yet: the first write makes the file. */
  | { readonly kind: 'new' }
  /** Being written by us: it must be there, and its identity moves with every write. */
  | { readonly kind: 'begun' }
  /** Shared or complete: it must stay exactly this. */
  | { readonly kind: 'fixed'; readonly identity: FileIdentity }
  /** Its identity is right and its content is not: nothing of it can be believed until the store is opened anew. */
  | { readonly kind: 'condemned' };

/** A file as it is now, beside the one it was. */
export interface Successor {
  readonly file: StoreFile;
  readonly identity: FileIdentity;
}

/** One file of an item as a store sees it. */
export class StoreFile {
  readonly path: string;
  readonly length: number;
  readonly #root: string | null;
  readonly #pool: FilePool;
  readonly #key: string;
  /** Neither a sharer's own nor one that an earlier run completed. */
  readonly #isReceived: boolean;
  #state: FileState;

  constructor(deps: { segment: FileSegment; pool: FilePool; key: string }) {
    const { path, root, length, identity } = deps.segment;
    if (root === null && identity === null) {
      throw new AppError('bad-input', "a sharer's own file needs its identity", { path });
    }
    this.path = path;
    this.length = length;
    this.#root = root;
    this.#pool = deps.pool;
    this.#key = deps.key;
    this.#isReceived = identity === null;
    this.#state = identity === null ? { kind: 'new' } : { kind: 'fixed', identity };
  }

  /** Whether the disk promises that bytes checked once are still the same. */
  get fixed(): boolean {
    return this.#state.kind === 'fixed';
  }

  /** How it can be read as a whole; null as long as it may still be written. */
  get toRead(): Omit<SmallFile, 'bytes'> | null {
    const { identity } = this;
    return identity === null ? null : { path: this.path, root: this.#root, identity };
  }

  /** How it can be made as a whole; null when there is something of it, or was. */
  get toMake(): Omit<SmallFile, 'bytes'> | null {
    if (this.#state.kind !== 'new' || this.#root === null) return null;
    return { path: this.path, root: this.#root, identity: null };
  }

  /** How it can be put on the disk for good; null when there is nothing of it, or that was done. */
  get toSync(): WrittenFile | null {
    if (this.#state.kind !== 'begun' || this.#root === null) return null;
    return { path: this.path, root: this.#root, length: this.length };
  }

  /** Whether it must be there. */
  get isBegun(): boolean {
    return this.#state.kind === 'begun' || this.#state.kind === 'fixed';
  }

  /** Whether a file that is this now is the one that it must be; undefined = that is not known. */
  isAs(identity: FileIdentity | undefined): boolean {
    if (identity?.size !== this.length) return false;
    if (this.#state.kind === 'fixed') return sameIdentity(identity, this.#state.identity);
    return this.#state.kind === 'begun';
  }

  /** It was made as a whole. */
  made(): void {
    if (this.#state.kind === 'new') this.#state = { kind: 'begun' };
  }

  /** Fills `into` from `position`; fails with `file-changed` or `file-missing` when the file is not what it was. */
  async read(into: Uint8Array, position: number): Promise<void> {
    if (this.#state.kind === 'new') throw this.#missing();
    if (this.#state.kind === 'condemned') throw this.#changed();
    await this.#use(async (handle) => {
      for (let at = 0; at < into.length;) {
        const { bytesRead } = await handle.read(into, at, into.length - at, position + at);
        if (bytesRead === 0) throw this.#changed();
        at += bytesRead;
      }
      // The look before it is the one that the file was shared or finished with: whatever happened since then shows here.
      await this.#identify(handle);
    });
  }

  /** Writes `bytes` at `position`; the rest of a new file stays a hole. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.fixed || this.#state.kind === 'condemned') {
      throw new AppError('conflict', 'the file is finished', { path: this.path });
    }
    await this.#use(async (handle) => {
      await this.#identify(handle);
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    });
  }

  /** Puts its bytes on the disk for good (its name needs its folder's sync); from now on the file must stay what it is. */
  async finish(): Promise<FileIdentity> {
    if (this.#state.kind === 'fixed') return this.#state.identity;
    if (this.#state.kind === 'new' && this.length > 0) throw this.#missing();
    if (this.#state.kind === 'condemned') throw this.#changed();
    const identity = await this.#use(async (handle) => {
      await this.#identify(handle);
      await handle.sync();
      return fileIdentity(await handle.stat({ bigint: true }));
    });
    this.#state = { kind: 'fixed', identity };
    // The next user opens it for reading only.
    await this.close();
    return identity;
  }

  /** Puts what was written so far on the disk for good; more may be written to it. */
  async flush(): Promise<void> {
    if (this.#state.kind !== 'begun') return;
    await this.#use(async (handle) => {
      await this.#identify(handle);
      await handle.sync();
    });
  }

  /** What it shares a piece with was not taken by the disk: it is written with that piece, and then finished, again. */
  async reopen(): Promise<void> {
    if (this.#state.kind !== 'fixed' || !this.#isReceived) return;
    this.#state = { kind: 'begun' };
    // Whoever read it since then has it open for reading only.
    await this.close();
  }

  /** Looks without reading: null, or the error that a read would give. A file not begun yet is fine. */
  async look(): Promise<AppError | null> {
    if (this.#state.kind === 'new') return null;
    if (this.#state.kind === 'condemned') return this.#changed();
    try {
      const stat = await lstat(this.path, { bigint: true });
      if (!stat.isFile()) return this.#missing();
      this.#compare(stat);
      return null;
    } catch (error) {
      const failure = fileError(error, 'cannot look at a file', { path: this.path });
      if (failure instanceof AppError) return failure;
      throw failure;
    }
  }

  /** Tells that an earlier run began the file; false when it is gone. One that was edited since then is left alone. */
  async resume(): Promise<boolean> {
    if (this.fixed) return (await this.look()) === null;
    this.#state = { kind: 'begun' };
    if ((await this.look()) === null) return true;
    const size = await readIdentity(this.path).then(
      (identity) => identity.size,
      () => 0,
    );
    if (size === 0) this.#state = { kind: 'new' };
    return size !== 0;
  }

  /**
   * The same file as it is now, when it is fixed, was touched, and may still have its content: to be read and compared
   * before `adopt`. Null when there is nothing to compare.
   */
  async successor(): Promise<Successor | null> {
    if (this.#state.kind !== 'fixed') return null;
    const identity = await readIdentity(this.path).catch(() => null);
    if (identity === null || identity.size !== this.length || sameIdentity(identity, this.#state.identity)) return null;
    const segment: FileSegment = {
      kind: 'file',
      offset: 0,
      length: this.length,
      path: this.path,
      root: this.#root,
      identity,
    };
    return { file: new StoreFile({ segment, pool: this.#pool, key: `${this.#key} now` }), identity };
  }

  /** Its content was compared, or is on the disk for good, under this identity: it is the file from now on. */
  async adopt(identity: FileIdentity): Promise<void> {
    this.#state = { kind: 'fixed', identity };
    await this.close();
  }

  /** null while it is not finished. */
  get identity(): FileIdentity | null {
    return this.#state.kind === 'fixed' ? this.#state.identity : null;
  }

  condemn(): void {
    this.#state = { kind: 'condemned' };
  }

  async close(): Promise<void> {
    await this.#pool.discard(this.#key);
  }

  async #use<T>(job: (handle: FileHandle) => Promise<T>): Promise<T> {
    try {
      return await this.#pool.use(this.#key, () => this.#open(), job);
    } catch (cause) {
      // A file that came back after its disk was away, or that was put in its place, is opened anew.
      await this.close();
      throw fileError(cause, 'cannot use a file', { path: this.path });
    }
  }

  async #open(): Promise<FileHandle> {
    if (this.#root === null) return openFile(this.path);
    if (this.#state.kind === 'fixed') return openContained(this.path, this.#root, 'read');
    const create = this.#state.kind === 'new';
    const handle = await openContained(this.path, this.#root, create ? 'create' : 'write');
    if (!create) return handle;
    try {
      const { size } = await handle.stat();
      // Ours have their full length from the beginning: any other was made, or made another, by the person.
      const isOurs = size === 0 || size === this.length;
      // On a full disk there may be no room for the length: it is begun anew then.
      if (isOurs) await handle.truncate(this.length);
      this.#state = { kind: 'begun' };
      if (!isOurs) throw this.#changed();
    } catch (cause) {
      await handle.close();
      throw fileError(cause, 'cannot make room for a file', { path: this.path });
    }
    return handle;
  }

  async #identify(handle: FileHandle): Promise<FileIdentity> {
    const stat = await handle.stat({ bigint: true });
    // An open file outlives its name: what is written to it then would be lost.
    if (stat.nlink === 0n) throw (await this.#isGone()) ? this.#missing() : this.#changed();
    return this.#compare(stat);
  }

  #compare(stat: BigIntStats): FileIdentity {
    const identity = fileIdentity(stat);
    const same = this.#state.kind === 'fixed' ? sameIdentity(identity, this.#state.identity) : true;
    if (!same || identity.size !== this.length) throw this.#changed();
    return identity;
  }

  async #isGone(): Promise<boolean> {
    try {
      await lstat(this.path);
      return false;
    } catch (error) {
      // Any other failure is not the same as "gone".
      return systemCode(error) === 'ENOENT';
    }
  }

  #changed(): AppError {
    return new AppError('file-changed', 'a file is not what it was', { path: this.path });
  }

  #missing(): AppError {
    return new AppError('file-missing', 'a file is gone', { path: this.path });
  }
}
