import { clearBit, hasAnyBit } from '../base/bitfield.ts';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { Span } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';
import { checkSpan } from './check-span.ts';
import { cipherKey } from './cipher.ts';
import { differingFiles } from './differing-files.ts';
import { eachSpan } from './each-span.ts';
import type { FilePool } from './file-pool.ts';
import type { HeldPiece } from './held-piece.ts';
import { LentPieces } from './lent-pieces.ts';
import type { TorrentShape } from './metainfo.ts';
import { DIGEST_BYTES, pieceCount, pieceSize } from './metainfo.ts';
import { PieceCache } from './piece-cache.ts';
import type { TagList } from './piece-tags.ts';
import type { PieceTools, ReadFiles, SealCheck, SealedPiece } from './seal-piece.ts';
import { sealPiece } from './seal-piece.ts';
import type { StoreFault } from './store-fault.ts';
import { StoreFaults } from './store-faults.ts';
import type { Successor } from './store-file.ts';
import { StoreFile } from './store-file.ts';
import { foldersOf, syncFolder } from './sync-folder.ts';
import { syncTogether } from './sync-together.ts';
import { doWholeFiles, finishFiles, lookAtFiles } from './whole-files.ts';

export interface PieceStoreDeps {
  readonly shape: TorrentShape;
  readonly segments: readonly Segment[];
  /** null = the disk holds the bytes of the swarm as they are. */
  readonly mediaKey: Uint8Array | null;
  /** Shared by all stores of the process. */
  readonly files: FilePool;
  /** Called when a file becomes faulty or faulty in another way, and with null when every file is right again. */
  readonly onFault: (fault: StoreFault | null) => void;
  /** Checked pieces kept in memory, in bytes; 16 MiB when left out. */
  readonly cacheBytes?: number;
  readonly tools: PieceTools;
}

/** Files by their index; all of their pieces were written, unless `isHere` says which. */
interface ToSync {
  readonly files: readonly number[];
  readonly isHere?: ((piece: number) => boolean) | undefined;
}

const BY_DIGEST: SealCheck = { digested: true, unlockTag: null };
let stores = 0;

/**
 * The pieces of one torrent: ciphertext towards the swarm, plain files on the disk.
 *
 * What `read` gives has the piece's SHA-1: that is computed at the first reading since the process started or hashed
 * the files, and each later reading is compared with the tag that came out beside it. Files that are fixed (shared, or
 * complete and synced) have the same identity before and after the reading besides.
 */
export class PieceStore implements AsyncDisposable {
  readonly shape: TorrentShape;
  readonly #space: ByteSpace;
  readonly #files: readonly StoreFile[];
  readonly #key: Uint8Array | null;
  readonly #cache: PieceCache;
  readonly #tools: PieceTools;
  readonly #lent: LentPieces;
  readonly #tags: TagList;
  readonly #faults: StoreFaults;
  /** Pieces of files that the disk did not take at a sync: it may have dropped them, and tells so once. */
  readonly #doubted = new Set<number>();
  /** How touched files looked when their content was compared last. */
  #compared = '';
  readonly #end = new AbortController();

  constructor(deps: PieceStoreDeps) {
    if (deps.shape.pieces.length !== pieceCount(deps.shape) * DIGEST_BYTES) {
      throw new AppError('invalid-torrent', 'wrong number of piece digests');
    }
    const id = (stores += 1);
    this.shape = deps.shape;
    this.#space = new ByteSpace(deps.segments, deps.shape.length);
    this.#files = this.#space.files.map(
      (segment, index) => new StoreFile({ segment, pool: deps.files, key: `${id}:${index}` }),
    );
    this.#key = deps.mediaKey === null ? null : cipherKey(deps.mediaKey);
    this.#faults = new StoreFaults(deps.onFault);
    this.#cache = new PieceCache({ limitBytes: deps.cacheBytes, budget: deps.tools.cached });
    this.#tools = deps.tools;
    const lending = { memory: deps.tools, cache: this.#cache, size: (index: number) => this.size(index) };
    this.#lent = new LentPieces({ ...lending, read: (index) => this.#checked(index) });
    this.#tags = deps.tools.tags.of(deps.shape.pieces, pieceCount(deps.shape));
  }

  get pieceLength(): number {
    return this.shape.pieceLength;
  }

  size(index: number): number {
    return pieceSize(this.shape, index);
  }

  /**
   * A piece as it goes to the swarm, to be let go when nothing of it is needed any more; it must not be written to.
   * Fails with `file-changed` or `file-missing` when the bytes must not leave.
   */
  async borrow(index: number, signal?: AbortSignal): Promise<HeldPiece> {
    this.#require(index);
    return this.#lent.borrow(index, signal);
  }

  /** A copy of a part of a piece; fails as `borrow` does. */
  async read(index: number, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.#require(index);
    if (offset < 0 || length < 0 || offset + length > this.size(index)) {
      throw new AppError('bad-input', 'range outside the piece', { index, offset, length });
    }
    const piece = await this.borrow(index, signal);
    const part = new Uint8Array(piece.bytes.subarray(offset, offset + length));
    piece.letGo();
    return part;
  }

  /**
   * Compares a whole piece with its SHA-1 and writes it; false when it is wrong, and nothing was written. `bytes` are
   * left alone and not kept. Fails with `invalid-torrent` when padding is not zero or the manifest differs, with
   * `disk-full` or `disk-error`.
   */
  async write(index: number, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
    this.#require(index);
    signal?.throwIfAborted();
    const size = this.size(index);
    if (bytes.length !== size) throw new AppError('bad-input', 'not a whole piece', { index, bytes: bytes.length });
    const offset = index * this.shape.pieceLength;
    const scratch = this.#key === null ? null : this.#tools.plain.take(size);
    try {
      const plain = scratch ?? bytes;
      const { crypto, tags } = this.#tools;
      const what = { kind: 'unlock', from: bytes, into: plain, offset, digested: true } as const;
      const { digest, tag } = await crypto.run({ ...what, key: this.#key, plainKey: tags.plainKey });
      if (digest !== this.#digestOf(index)) return false;
      this.#tags.set(index, { over: this.#key === null ? 'sealed' : 'plain', tag });
      const spans = this.#space.plan(offset, size);
      for (const span of spans) checkSpan(span, plain);
      this.#cache.delete(index);
      const made = await this.#doWhole('write', spans, plain);
      await eachSpan(spans, async (span) => {
        const part = plain.subarray(span.at, span.at + span.length);
        if (span.kind === 'file' && !made.has(span))
          await this.#onFile(span.file, (file) => file.write(part, span.position));
      });
      return true;
    } finally {
      if (scratch !== null) this.#tools.plain.give(scratch);
    }
  }

  /**
   * Tells the store what an earlier run wrote and gives the part of that bitfield whose files are still there:
   * to be called before a resumed download goes on.
   */
  async resume(bitfield: Uint8Array, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const usable = new Uint8Array(Math.ceil(pieceCount(this.shape) / 8));
    usable.set(bitfield.subarray(0, usable.length));
    for (const [index, file] of this.#files.entries()) {
      signal.throwIfAborted();
      const pieces = this.#space.piecesOf(index, this.shape.pieceLength);
      if (pieces === null || !hasAnyBit(usable, pieces) || (await file.resume())) continue;
      for (let piece = pieces.first; piece <= pieces.last; piece += 1) clearBit(usable, piece);
    }
    return usable;
  }

  /**
   * Reads pieces of earlier runs back from the disk, because a power cut can lose what was written last, and those that it
   * did not take, and gives the wrong ones: before a download is called complete. Of the latter the right ones are written
   * anew, because the system may have them in its memory only and believe them on the disk.
   */
  async badPieces(earlier: Iterable<number>, signal: AbortSignal): Promise<number[]> {
    const bad: number[] = [];
    for (const index of new Set([...earlier, ...this.#doubted])) {
      this.#require(index);
      signal.throwIfAborted();
      this.#cache.delete(index);
      const { piece, digest } = await this.#fromDisk(index);
      try {
        if (digest !== this.#digestOf(index)) bad.push(index);
        else if (this.#doubted.has(index)) await this.write(index, piece, signal);
      } finally {
        this.#tools.sealed.give(piece);
      }
    }
    this.#doubted.clear();
    return bad;
  }

  /** Pieces of an earlier run that the disk may have dropped, as it may those that it does not take at a sync of this one. */
  doubt(pieces: Iterable<number>): void {
    for (const piece of pieces) this.#doubted.add(piece);
  }

  /** Everything is written: puts it on the disk for good and gives what the files are from now on; `badPieces` first. */
  async sync(signal: AbortSignal): Promise<FileIdentity[]> {
    this.#requireNoDoubt();
    await this.#requireTaken(await finishFiles(this.#many, signal));
    return this.#putOnDisk({ files: Array.from(this.#files.keys()) }, (file) => file.finish(), signal);
  }

  /** The same for all files with bytes in these pieces, which may be written to further; `isHere` says which were written. */
  async flush(pieces: readonly number[], isHere: (piece: number) => boolean, signal: AbortSignal): Promise<void> {
    this.#requireNoDoubt();
    const files = new Set(pieces.flatMap((piece) => this.#filesOf(piece)));
    await this.#putOnDisk({ files: Array.from(files), isHere }, (file) => file.flush(), signal);
  }

  /** Looks at the files without reading them, so that a disk that went away or came back is noticed. */
  async check(signal: AbortSignal): Promise<StoreFault | null> {
    const well = await lookAtFiles(this.#many, signal);
    for (const [index, file] of this.#files.entries()) {
      signal.throwIfAborted();
      this.#note(index, well.has(file) ? null : await file.look());
    }
    return this.#faults.first;
  }

  /**
   * Compares files that were touched, copied back or moved and moved back with what they were, piece by piece, and
   * takes those back that have their content still. Once for each way they look; gives the identities of all files
   * when all of them are right after that.
   */
  async heal(signal: AbortSignal): Promise<FileIdentity[] | null> {
    const touched = await this.#touched();
    const look = JSON.stringify(Array.from(touched, ([file, { identity }]) => [file, identity]));
    if (touched.size === 0 || look === this.#compared) return null;
    this.#compared = look;
    const bad = await this.#differing(touched, signal);
    for (const [file, { identity }] of touched) {
      if (bad.has(file)) continue;
      await this.#files[file]?.adopt(identity);
      this.#note(file, null);
    }
    return this.#faults.isAny ? null : this.#files.flatMap((file) => file.identity ?? []);
  }

  /** Gives back the memory of pieces that nobody reads at the moment. */
  clearCache(): void {
    this.#cache.clear();
  }

  /** Forgets everything and closes the files; deletes nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new AppError('cancelled', 'the store is closed'));
    this.#cache.clear();
    await this.#lent[Symbol.asyncDispose]();
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #requireNoDoubt(): void {
    if (this.#doubted.size > 0) throw new AppError('internal', 'what the disk did not take was not read back');
  }

  async #putOnDisk<T>({ files, isHere }: ToSync, job: (file: StoreFile) => Promise<T>, signal: AbortSignal) {
    const { done, refused } = await syncTogether(files, (file) => this.#onFile(file, job), signal);
    await this.#requireTaken(refused, isHere);
    for (const folder of foldersOf(files.flatMap((file) => this.#space.files[file] ?? []))) {
      signal.throwIfAborted();
      await syncFolder(folder);
    }
    return done;
  }

  get #many() {
    return { thread: this.#tools.small, files: this.#files };
  }

  /** Fails with the first of the errors, by file, and doubts all pieces of these files that were written. */
  async #requireTaken(refused: ReadonlyMap<number, Error>, isHere: ToSync['isHere'] = () => true): Promise<void> {
    for (const file of refused.keys()) {
      const { first, last } = this.#space.piecesOf(file, this.shape.pieceLength) ?? { first: 0, last: -1 };
      for (let piece = first; piece <= last; piece += 1) {
        if (!isHere(piece)) continue;
        if (!this.#doubted.has(piece)) for (const near of this.#filesOf(piece)) await this.#files[near]?.reopen();
        this.#doubted.add(piece);
      }
    }
    const [error] = refused.values();
    if (error !== undefined) throw error;
  }

  #require(index: number): void {
    this.#end.signal.throwIfAborted();
    if (!Number.isInteger(index) || index < 0 || index >= pieceCount(this.shape)) {
      throw new AppError('bad-input', 'no such piece', { index });
    }
  }

  /** A piece from the disk that is certain to be right. */
  async #checked(index: number): Promise<SealedPiece> {
    const known = this.#tags.get(index);
    if (known !== null) {
      const read = await this.#fromDisk(index, {
        digested: false,
        unlockTag: known.over === 'plain' ? known.tag : null,
      });
      if (read.tag === known.tag) return read;
      this.#tools.sealed.give(read.piece);
    }
    const read = await this.#fromDisk(index);
    if (read.digest !== this.#digestOf(index)) {
      this.#tools.sealed.give(read.piece);
      throw this.#differs(index);
    }
    this.#tags.set(index, { over: 'sealed', tag: read.tag });
    return read;
  }

  #fromDisk(index: number, check: SealCheck = BY_DIGEST): Promise<SealedPiece> {
    return this.#assemble(index, check, {
      read: (file, part, at) => this.#onFile(file, (one) => one.read(part, at)),
      readWhole: (spans, memory) => this.#doWhole('read', spans, memory),
    });
  }

  /** Not while there are faults: they end where they were noted. */
  #doWhole(kind: 'read' | 'write', spans: readonly Span[], memory: Uint8Array): Promise<ReadonlySet<Span>> {
    const thread = this.#faults.isAny ? undefined : this.#tools.small;
    return doWholeFiles(kind, { thread, files: this.#files }, spans, memory);
  }

  async #touched(): Promise<Map<number, Successor>> {
    const touched = new Map<number, Successor>();
    for (const file of this.#faults.changed) {
      const next = await this.#files[file]?.successor();
      if (next !== null && next !== undefined) touched.set(file, next);
    }
    return touched;
  }

  #differing(touched: ReadonlyMap<number, Successor>, signal: AbortSignal): Promise<Set<number>> {
    const read = async (file: number, part: Uint8Array, position: number): Promise<void> =>
      (touched.get(file)?.file ?? this.#files[file])?.read(part, position);
    const filesOf = (piece: number): number[] => this.#filesOf(piece);
    const isWhole = (piece: number): Promise<boolean> => this.#isWhole(piece, { read });
    return differingFiles({ touched, pieceCount: pieceCount(this.shape), filesOf, isWhole }, signal);
  }

  async #isWhole(index: number, read: ReadFiles): Promise<boolean> {
    try {
      const { piece, digest } = await this.#assemble(index, BY_DIGEST, read);
      this.#tools.sealed.give(piece);
      return digest === this.#digestOf(index);
    } catch (error) {
      // It changes while it is compared, or a neighbour in the same piece is away.
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  #assemble(index: number, check: SealCheck, read: ReadFiles): Promise<SealedPiece> {
    const range = { offset: index * this.shape.pieceLength, length: this.size(index) };
    const what = { space: this.#space, tools: this.#tools, key: this.#key };
    return sealPiece(what, { ...range, ...check }, read, this.#end.signal);
  }

  #digestOf(index: number): string {
    return toHex(this.shape.pieces.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES));
  }

  /** Right identity, wrong content: a damaged disk, or an edit that the identity does not show. */
  #differs(index: number): AppError {
    const error = new AppError('file-changed', 'a piece on the disk is not what it was', { index });
    for (const file of this.#filesOf(index)) {
      if (this.#files[file]?.fixed !== true) continue;
      this.#files[file].condemn();
      this.#note(file, error);
    }
    return error;
  }

  #filesOf(index: number): number[] {
    const spans = this.#space.plan(index * this.shape.pieceLength, this.size(index));
    return spans.flatMap((span) => (span.kind === 'file' ? [span.file] : []));
  }

  async #onFile<T>(index: number, job: (file: StoreFile) => Promise<T>): Promise<T> {
    const file = this.#files[index];
    if (file === undefined) throw new AppError('internal', 'no such file', { index });
    try {
      const result = await job(file);
      this.#note(index, null);
      return result;
    } catch (error) {
      if (error instanceof AppError) this.#note(index, error);
      throw error;
    }
  }

  #note(index: number, error: AppError | null): void {
    if (this.#faults.note(index, this.#files[index]?.path ?? '', error)) this.#cache.clear();
  }
}
