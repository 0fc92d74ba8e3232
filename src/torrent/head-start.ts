import type { DeviceKey, InfoHash } from '../base/id.ts';
import type { Callee } from './call-list.ts';
import { rankOf } from './route.ts';

/** The best paths are tried at once, each further kind a step later, all without waiting for an outcome. */
const STEP_MS = 300;

/** Gives the better paths to a device a small head start, counted from when a torrent wanted that device. */
export class HeadStart {
  readonly #sinceMs = new Map<InfoHash, Map<DeviceKey, number>>();

  /** When this way may be tried at the earliest; `all` are the ways to the same device. */
  notBefore(infoHash: InfoHash, { path, device }: Callee, all: readonly Callee[], nowMs: number): number {
    if (device === null) return 0;
    const since = this.#sinceMs.get(infoHash) ?? new Map<DeviceKey, number>();
    this.#sinceMs.set(infoHash, since);
    const sinceMs = since.get(device) ?? nowMs;
    since.set(device, sinceMs);
    // Nobody waits for paths that this device does not have.
    const better = new Set(all.map((callee) => rankOf(callee.path)).filter((rank) => rank < rankOf(path)));
    return sinceMs + STEP_MS * better.size;
  }

  /** Connected, or wanted no more: the next time counts anew. */
  forget(infoHash: InfoHash, device?: DeviceKey): void {
    if (device === undefined) this.#sinceMs.delete(infoHash);
    else this.#sinceMs.get(infoHash)?.delete(device);
  }
}
