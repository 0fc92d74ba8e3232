import { toHex } from '../base/bytes.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { EpochKeys } from '../contract/swarm.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import type { LanSphere } from '../torrent/lan-discovery.ts';
import { trackerHash } from '../torrent/tracker.ts';

const MOST_TRACKERS = 24;

interface Sphere {
  readonly epochs: readonly EpochKeys[];
  readonly devices: ReadonlySet<DeviceKey>;
  /** By the device that told them. */
  readonly trackers: Map<DeviceKey, readonly string[]>;
  /** Those to announce at: asked for by every torrent. */
  readonly chosen: readonly string[];
}

/** Keys, devices and trackers of every sphere, as the engine told them. */
export class SphereRegistry {
  readonly #spheres = new Map<SphereId, Sphere>();
  readonly #isBanned: (device: DeviceKey) => boolean;

  constructor(deps: { isBanned: (device: DeviceKey) => boolean }) {
    this.#isBanned = deps.isBanned;
  }

  set(sphereId: SphereId, epochs: readonly EpochKeys[], devices: readonly DeviceKey[]): void {
    const trackers = this.#spheres.get(sphereId)?.trackers ?? new Map<DeviceKey, readonly string[]>();
    const listed = new Set(devices);
    for (const device of trackers.keys()) if (!listed.has(device)) trackers.delete(device);
    this.#spheres.set(sphereId, { epochs, devices: listed, trackers, chosen: choose(trackers) });
  }

  delete(sphereId: SphereId): void {
    this.#spheres.delete(sphereId);
  }

  setTrackers(sphereId: SphereId, device: DeviceKey, trackers: readonly string[]): void {
    const sphere = this.#spheres.get(sphereId);
    if (sphere === undefined) return;
    sphere.trackers.set(device, trackers);
    this.#spheres.set(sphereId, { ...sphere, chosen: choose(sphere.trackers) });
  }

  trackers(...sphereIds: readonly SphereId[]): readonly string[] {
    const [first, ...others] = sphereIds.map((sphereId) => this.#spheres.get(sphereId)?.chosen ?? []);
    return others.length === 0 ? (first ?? []) : Array.from(new Set([first ?? [], ...others].flat()));
  }

  /** Whether a device may connect for torrents of this sphere. */
  admits(sphereId: SphereId, device: DeviceKey): boolean {
    return this.#spheres.get(sphereId)?.devices.has(device) === true && !this.#isBanned(device);
  }

  /** What trackers know a torrent by: by the previous epoch too where it has another key. */
  trackerHashes(sphereIds: readonly SphereId[], infoHash: InfoHash): string[] {
    const epochs = sphereIds.flatMap((sphereId) => this.#spheres.get(sphereId)?.epochs ?? []);
    return Array.from(new Set(epochs.map((epoch) => trackerHash(epoch.tracker, infoHash))));
  }

  /** What each sphere is found by in the own network. */
  get lanSpheres(): LanSphere[] {
    return Array.from(this.#spheres, ([sphereId, { epochs }]) => {
      return { sphereId, lanKeys: distinct(epochs.map((epoch) => epoch.lan)) };
    });
  }

  admitting(sphereId: SphereId, torrents: Pick<AdmittingSphere, 'has' | 'seeks'>): AdmittingSphere | undefined {
    const sphere = this.#spheres.get(sphereId);
    if (sphere === undefined) return undefined;
    return {
      sphereId,
      admissionKeys: sphere.epochs.map((epoch) => epoch.admission),
      isListed: (device) => this.admits(sphereId, device),
      ...torrents,
    };
  }

  get ids(): SphereId[] {
    return Array.from(this.#spheres.keys());
  }
}

/** Two epochs have one key where the previous one is not to be found by. */
function distinct(keys: readonly Uint8Array[]): Uint8Array[] {
  return Array.from(new Map(keys.map((key) => [toHex(key), key])).values());
}

/** The first of each device, then the second of each: nobody's many keep another's out. */
function choose(trackers: Sphere['trackers']): string[] {
  const told = Array.from(trackers.values());
  const rounds = Array.from({ length: Math.max(0, ...told.map((ones) => ones.length)) }, (_, round) =>
    told.flatMap((ones) => ones[round] ?? []),
  );
  return Array.from(new Set(rounds.flat())).slice(0, MOST_TRACKERS);
}
