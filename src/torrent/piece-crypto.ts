import { createHash, hash } from 'node:crypto';
import { cipherStream, releaseOutput } from './cipher.ts';

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
  /** Where the piece begins in the torrent's byte space. */
  readonly offset: number;
  /** False when it is known already that the piece is right: the digest is half of the work. */
  readonly digested: boolean;
}

/** Does such jobs somewhere, and gives the SHA-1 of the ciphertext in hex, '' when it is not asked for. */
export interface PieceCrypto {
  run(job: PieceJob): Promise<string>;
}

/** Does the job on this thread. */
export function runPieceJob({ kind, from, into, key, offset, digested }: PieceJob): string {
  if (key === null) return digested ? hash('sha1', from, 'hex') : '';
  const digest = digested ? createHash('sha1') : null;
  const cipher = cipherStream(key, offset);
  for (let at = 0; at < from.length; at += STEP) {
    const input = from.subarray(at, at + STEP);
    const output = cipher.update(input);
    digest?.update(kind === 'lock' ? output : input);
    into.set(output, at);
    releaseOutput(output);
  }
  return digest?.digest('hex') ?? '';
}

/** For whoever has no threads. */
export const sameThread: PieceCrypto = { run: (job) => Promise.resolve(runPieceJob(job)) };
