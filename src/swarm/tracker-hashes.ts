import type { InfoHash } from '../base/id.ts';

/** By which hashes trackers know the torrents of spheres. */
export class TrackerHashes {
  readonly #torrents = new Map<string, InfoHash>();
  readonly #hashes = new Map<InfoHash, readonly string[]>();

  of(infoHash: InfoHash): readonly string[] {
    return this.#hashes.get(infoHash) ?? [];
  }

  torrent(hash: string): InfoHash | undefined {
    return this.#torrents.get(hash);
  }

  set(infoHash: InfoHash, hashes: readonly string[]): void {
    this.#hashes.set(infoHash, hashes);
    for (const hash of hashes) this.#torrents.set(hash, infoHash);
  }

  delete(infoHash: InfoHash): void {
    for (const hash of this.of(infoHash)) this.#torrents.delete(hash);
    this.#hashes.delete(infoHash);
  }

  clear(): void {
    this.#torrents.clear();
    this.#hashes.clear();
  }
}
