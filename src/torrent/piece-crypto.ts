import { createHash } from 'node:crypto';
import { fromHex, toHex } from '../base/bytes.ts';
import { releaseOutput } from './cipher.ts';
import type { PieceCipher } from './piece-cipher.ts';
import { knownPieceCipher, pieceCipher, plainTag } from './piece-cipher.ts';

/** Small steps stay in the processor's cache between cipher, hash and copy; one cipher over all saves the key schedule. */
const STEP = 64 * 1024;

/** One pass over one piece; `key` null = its bytes travel as they lie on the disk. */
export interface PieceJob {
  /** `lock`: `from` is plain and `into` becomes ciphertext. `unlock`: the other way round. */
  readonly kind: 'lock' | 'unlock';
  readonly from: Uint8Array;
  /** As long as `from`; not written to without a key. */
  readonly into: Uint8Array;
  readonly key: Uint8Array | null;
  /** With which plain pieces get their tags. */
  readonly plainKey: Uint8Array;
  /** Where the piece begins in the torrent's byte space. */
  readonly offset: number;
  /** False when a tag says enough: the digest is most of the work. */
  readonly digested: boolean;
  /** To lock: the tag with which this piece was unlocked; then the answer is that tag or, if it is another piece, ''. */
  readonly unlockTag?: string | null;
}

/** What tells one piece from another, in hex. */
export interface PieceMarks {
  /** The SHA-1 of the ciphertext, '' when it was not asked for. */
  readonly digest: string;
  /** Over what came out, see `PieceTags`; '' where there is none. */
  readonly tag: string;
}

/** Does such jobs somewhere. */
export interface PieceCrypto {
  run(job: PieceJob): Promise<PieceMarks>;
}

/** Does the job on this thread. */
export function runPieceJob(job: PieceJob): PieceMarks {
  const { kind, from, digested } = job;
  const into = asBuffer(job.into);
  const digest = digested ? createHash('sha1') : null;
  const work = workOf(job);
  for (let at = 0; at < from.length; at += STEP) {
    const input = from.subarray(at, at + STEP);
    const output = work.update(input);
    digest?.update(kind === 'lock' ? output : input);
    if (output === input) continue;
    copyShared(asBuffer(output), into, at);
    releaseOutput(output);
  }
  return { digest: digest?.digest('hex') ?? '', tag: toHex(work.tag()) };
}

/**
 * Into memory that threads share Node.js copies a whole buffer word by word, at several times the cost, but parts of one as
 * fast as it can.
 */
function copyShared(source: Buffer, target: Buffer, at: number): void {
  const half = source.length >> 1;
  source.copy(target, at, 0, half);
  source.copy(target, at + half, half);
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function workOf({ kind, from, key, plainKey, offset, unlockTag }: PieceJob): PieceCipher {
  if (key === null) return plainTag(plainKey);
  const place = { offset, length: from.length };
  const tag = kind === 'lock' ? fromHex(unlockTag ?? '') : undefined;
  const known = tag === undefined || tag.length === 0 ? null : knownPieceCipher(key, place, tag);
  if (known === null || tag === undefined) return pieceCipher(key, place);
  return { update: (bytes) => known.update(bytes), tag: () => (known.isRight() ? tag : new Uint8Array()) };
}
