/** The part of create-torrent that our own hasher is compared with, and that hashes where that one cannot. */
declare module 'create-torrent' {
  import type { Readable } from 'node:stream';

  export interface CreateTorrentOptions {
    readonly name: string;
    readonly private: boolean;
    readonly pieceLength: number;
    /** Left out it names public trackers. */
    readonly announceList: readonly (readonly string[])[];
  }

  export default function createTorrent(
    input: string | (Readable & { name: string }),
    options: CreateTorrentOptions,
    done: (error: Error | null, torrent: Uint8Array) => void,
  ): void;
}
