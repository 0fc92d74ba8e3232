import type { Segment } from '../contract/swarm.ts';

/** What is to be encrypted and hashed. */
export interface HashRequest {
  readonly segments: readonly Segment[];
  /** Of the whole torrent, padding included, in bytes. */
  readonly length: number;
  readonly pieceLength: number;
  /** null = the bytes are hashed as they are. */
  readonly mediaKey: Uint8Array | null;
  /** Digests of the first pieces that an earlier run found over the same files under the same key. */
  readonly known?: Uint8Array | undefined;
}
