import { createHash } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { releaseOutput } from './cipher.ts';
import { pieceCipher, plainTag } from './piece-cipher.ts';

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
  /** False when its tag says enough: the digest is most of the work. */
  readonly digested: boolean;
}

/** What tells one piece from another, in hex. */
export interface PieceMarks {
  /** The SHA-1 of the ciphertext, '' when it was not asked for. */
  readonly digest: string;
  /** Of what was locked; '' where there is none, see `PieceTags`. */
  readonly tag: string;
}

/** Does such jobs somewhere. */
export interface PieceCrypto {
  run(job: PieceJob): Promise<PieceMarks>;
}

/** Does the job on this thread. */
export function runPieceJob({ kind, from, into, key, plainKey, offset, digested }: PieceJob): PieceMarks {
  const digest = digested ? createHash('sha1') : null;
  const cipher = key === null ? null : pieceCipher(key, { offset, length: from.length });
  const mac = key === null && kind === 'lock' ? plainTag(plainKey) : null;
  for (let at = 0; at < from.length; at += STEP) {
    const input = from.subarray(at, at + STEP);
    const output = cipher?.update(input) ?? input;
    digest?.update(kind === 'lock' ? output : input);
    mac?.update(input);
    if (output === input) continue;
    into.set(output, at);
    releaseOutput(output);
  }
  // The tag of what is unlocked would be of the plain bytes.
  const tag = kind === 'lock' ? (mac ?? cipher)?.tag() : undefined;
  return { digest: digest?.digest('hex') ?? '', tag: toHex(tag ?? new Uint8Array()) };
}

/** For whoever has no threads. */
export const sameThread: PieceCrypto = { run: (job) => Promise.resolve(runPieceJob(job)) };
