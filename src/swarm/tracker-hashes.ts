import type { InfoHash } from '../base/id.ts';
import type { TorrentSpec } from '../torrent/torrent-spec.ts';

/** By which hashes trackers know the torrents of spheres. */
export class TrackerHashes {
  readonly #torrents = new Map<string, InfoHash>();
  readonly #hashes = new Map<InfoHash, readonly string[]>();
  readonly #hashesOf: (spec: TorrentSpec) => readonly string[];

  constructor(hashesOf: (spec: TorrentSpec) => readonly string[]) {
    this.#hashesOf = hashesOf;
  }

  of(infoHash: InfoHash): readonly string[] {
    return this.#hashes.get(infoHash) ?? [];
  }

  torrent(hash: string): InfoHash | undefined {
    return this.#torrents.get(hash);
  }

  add(spec: TorrentSpec): void {
    const hashes = this.#hashesOf(spec);
    this.#hashes.set(spec.infoHash, hashes);
    for (const hash of hashes) this.#torrents.set(hash, spec.infoHash);
  }

  /** All anew, after the keys of a sphere have changed. */
  setAll(torrents: Iterable<{ readonly spec: TorrentSpec }>): void {
    this.#torrents.clear();
    this.#hashes.clear();
    for (const { spec } of torrents) this.add(spec);
  }

  delete(infoHash: InfoHash): void {
    for (const hash of this.of(infoHash)) this.#torrents.delete(hash);
    this.#hashes.delete(infoHash);
  }
}
