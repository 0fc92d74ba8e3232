import type { InfoHash, SphereId } from '../base/id.ts';

/** Descriptions of public torrents that members of a sphere may ask for, as long as no torrent of a sphere has that hash. */
export class OfferedMetainfos {
  readonly #offered = new Map<SphereId, Map<InfoHash, Uint8Array>>();

  set(sphereId: SphereId, infoHash: InfoHash, metainfo: Uint8Array): void {
    const ofSphere = this.#offered.get(sphereId) ?? new Map<InfoHash, Uint8Array>();
    this.#offered.set(sphereId, ofSphere.set(infoHash, metainfo));
  }

  removeSphere(sphereId: SphereId): void {
    this.#offered.delete(sphereId);
  }

  get(sphereId: SphereId, infoHash: InfoHash): Uint8Array | undefined {
    return this.#offered.get(sphereId)?.get(infoHash);
  }
}
