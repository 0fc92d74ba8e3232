import type { ErrorCode } from '../base/errors.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';

/** What every worker must know about one item that is being hashed. */
export interface HashJob {
  readonly id: number;
  readonly segments: readonly Segment[];
  readonly length: number;
  readonly pieceLength: number;
  /** The AES key, not the media key; null = plain. */
  readonly key: Uint8Array | null;
  /** With which plain pieces get their tags. */
  readonly plainKey: Uint8Array;
  /** What the files were before the first byte was read, in the order of the file segments. */
  readonly identities: readonly FileIdentity[];
  /** Receives the digests: 20 bytes for each piece. */
  readonly pieces: SharedArrayBuffer;
  /** Receives the tags: 16 bytes for each piece. */
  readonly tags: SharedArrayBuffer;
  /** One 64-bit count of bytes done, then one 32-bit flag: not 0 = cancelled. */
  readonly control: SharedArrayBuffer;
}

export const CONTROL_BYTES = 12;
export const doneCounter = (control: SharedArrayBuffer): BigInt64Array => new BigInt64Array(control, 0, 1);
export const cancelFlag = (control: SharedArrayBuffer): Int32Array => new Int32Array(control, 8, 1);

export type ToWorker =
  | { readonly kind: 'open'; readonly job: HashJob }
  /** Hash `count` pieces from piece number `first` on. */
  | { readonly kind: 'run'; readonly id: number; readonly first: number; readonly count: number }
  | { readonly kind: 'close'; readonly id: number };

/** Answers one 'run'. */
export interface FromWorker {
  readonly id: number;
  readonly first: number;
  readonly count: number;
  readonly failure: HashFailure | null;
}

/** An AppError in a form that can be sent between threads. */
export interface HashFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause: unknown;
}
