import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { AppError } from '../base/errors.ts';
import type { Span } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';
import { releaseOutput } from './cipher.ts';
import { GUARDED } from './contained-file.ts';
import { fileError } from './file-error.ts';
import { fileIdentity, sameIdentity } from './file-identity.ts';
import type { HashJob } from './hash-job.ts';
import { cancelFlag, doneCounter } from './hash-job.ts';
import { DIGEST_BYTES, pieceSize } from './metainfo.ts';
import { pieceCipher, plainTag } from './piece-cipher.ts';
import { TAG_BYTES } from './piece-tags.ts';

/** Reads of this size stay in the processor's cache between reading, encrypting and hashing. */
const READ_BYTES = 128 * 1024;

/** Encrypts and hashes runs of pieces of one job, synchronously: the code of a worker thread. */
export class PieceHasher {
  readonly #job: HashJob;
  readonly #space: ByteSpace;
  readonly #digests: Uint8Array;
  readonly #tags: Uint8Array;
  readonly #done: BigInt64Array;
  readonly #cancelled: Int32Array;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #zeros = new Uint8Array(READ_BYTES);
  #open: { readonly file: number; readonly fd: number } | null = null;

  constructor(job: HashJob) {
    this.#job = job;
    this.#space = new ByteSpace(job.segments, job.length);
    this.#digests = new Uint8Array(job.pieces);
    this.#tags = new Uint8Array(job.tags);
    this.#done = doneCounter(job.control);
    this.#cancelled = cancelFlag(job.control);
  }

  /** Ends early, leaving digests out, when the job is cancelled. */
  run(first: number, count: number): void {
    try {
      for (let index = first; index < first + count && !this.#isCancelled(); index += 1) this.#piece(index);
      this.#close();
    } finally {
      if (this.#open !== null) closeSync(this.#open.fd);
      this.#open = null;
    }
  }

  #isCancelled(): boolean {
    return Atomics.load(this.#cancelled, 0) !== 0;
  }

  #piece(index: number): void {
    const { key, plainKey, pieceLength } = this.#job;
    const [offset, length] = [index * pieceLength, pieceSize(this.#job, index)];
    const hash = createHash('sha1');
    const cipher = key === null ? plainTag(plainKey) : pieceCipher(key, { offset, length });
    for (const span of this.#space.plan(offset, length)) {
      for (let at = 0; at < span.length; at += READ_BYTES) {
        if (this.#isCancelled()) return;
        const bytes = this.#bytes(span, at, Math.min(READ_BYTES, span.length - at));
        const sealed = cipher.update(bytes);
        hash.update(sealed);
        if (sealed !== bytes) releaseOutput(sealed);
        Atomics.add(this.#done, 0, BigInt(bytes.length));
      }
    }
    this.#digests.set(hash.digest(), index * DIGEST_BYTES);
    this.#tags.set(cipher.tag(), index * TAG_BYTES);
  }

  #bytes(span: Span, at: number, length: number): Uint8Array {
    if (span.kind === 'padding') return this.#zeros.subarray(0, length);
    if (span.kind === 'bytes') return span.bytes.subarray(at, at + length);
    const fd = this.#file(span.file);
    for (let read = 0; read < length;) {
      const got = this.#try(span.file, () =>
        readSync(fd, this.#buffer, read, length - read, span.position + at + read),
      );
      if (got === 0) throw this.#changed(span.file);
      read += got;
    }
    return this.#buffer.subarray(0, length);
  }

  #file(file: number): number {
    if (this.#open?.file === file) return this.#open.fd;
    this.#close();
    const fd = this.#try(file, () => openSync(this.#path(file), constants.O_RDONLY | GUARDED));
    this.#open = { file, fd };
    this.#compare(this.#open);
    return fd;
  }

  /** What was read counts only if the open file is still the one that was looked at before. */
  #close(): void {
    if (this.#open === null) return;
    this.#compare(this.#open);
    closeSync(this.#open.fd);
    this.#open = null;
  }

  #compare(open: { readonly file: number; readonly fd: number }): void {
    const before = this.#job.identities[open.file];
    const now = this.#try(open.file, () => fileIdentity(fstatSync(open.fd, { bigint: true })));
    if (before === undefined || !sameIdentity(before, now)) throw this.#changed(open.file);
  }

  #path(file: number): string {
    return this.#space.files[file]?.path ?? '';
  }

  #changed(file: number): AppError {
    return new AppError('file-changed', 'a file changed while it was hashed', { path: this.#path(file) });
  }

  #try<T>(file: number, operation: () => T): T {
    try {
      return operation();
    } catch (cause) {
      throw fileError(cause, 'cannot read a file to hash it', { path: this.#path(file) });
    }
  }
}
