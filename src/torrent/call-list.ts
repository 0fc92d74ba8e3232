import type { Clock } from '../base/clock.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { FoundEndpoints } from './found-endpoints.ts';
import { pathOf } from './route.ts';

const MOST_ENDPOINTS = 32;

/** A way to call somebody. */
export interface Callee {
  /** `host:port`, or for WebRTC the name under which that device is called. */
  readonly endpoint: string;
  readonly path: Path;
  /** Whom it leads to; null = somebody found there, known once admitted. */
  readonly device: DeviceKey | null;
  /** The device that told it of itself; null = found elsewhere. */
  readonly toldBy: DeviceKey | null;
  /** Who shares places and turns with it: all of the device, all of a machine in the own network, or '', all from trackers. */
  readonly origin: string;
}

/** Who can be called where: as devices told of themselves, as trackers named, as found in the own network. */
export class CallList {
  readonly #clock: Clock;
  readonly #told = new Map<SphereId, Map<DeviceKey, readonly Callee[]>>();
  readonly #found = new Map<InfoHash, FoundEndpoints>();
  readonly #near = new Map<SphereId, FoundEndpoints>();

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** What a member told about itself; replaces what was known. Gives what is told now and what was told before. */
  tell(sphereId: SphereId, device: DeviceKey, endpoints: readonly string[], webrtc: boolean) {
    const devices = this.#told.get(sphereId) ?? new Map<DeviceKey, readonly Callee[]>();
    const before = (devices.get(device) ?? []).map(({ endpoint }) => endpoint);
    const callees: Callee[] = endpoints.slice(0, MOST_ENDPOINTS).map((endpoint) => {
      return { endpoint, path: pathOf(endpoint), device, toldBy: device, origin: device };
    });
    if (webrtc) callees.push({ endpoint: `webrtc ${device}`, path: 'webrtc', device, toldBy: device, origin: device });
    this.#told.set(sphereId, devices);
    devices.set(device, callees);
    return { now: callees.map(({ endpoint }) => endpoint), before };
  }

  /** Whether the address is new for the torrent, and which one left for it. */
  found(infoHash: InfoHash, endpoint: string, source: string): { added: boolean; dropped: string | null } {
    return this.#add(this.#found, infoHash, endpoint, source);
  }

  /** The same for all torrents of a sphere. */
  near(sphereId: SphereId, endpoint: string, source: string): { added: boolean; dropped: string | null } {
    return this.#add(this.#near, sphereId, endpoint, source);
  }

  good(sphereId: SphereId, infoHash: InfoHash, endpoint: string, device: DeviceKey): void {
    const nowMs = this.#clock.monotonic();
    this.#found.get(infoHash)?.good(endpoint, device, nowMs);
    this.#near.get(sphereId)?.good(endpoint, device, nowMs);
  }

  failed(sphereId: SphereId, infoHash: InfoHash, endpoint: string): void {
    this.#found.get(infoHash)?.failed(endpoint);
    this.#near.get(sphereId)?.failed(endpoint);
  }

  /** Forgets found addresses that have long been failing. */
  expire(): string[] {
    const nowMs = this.#clock.monotonic();
    return [...this.#found.values(), ...this.#near.values()].flatMap((found) => found.expire(nowMs));
  }

  /** Forgets what all other devices of the sphere told of themselves, and gives it. */
  keepOnly(sphereId: SphereId, devices: readonly DeviceKey[]): string[] {
    const told = this.#told.get(sphereId) ?? new Map<DeviceKey, readonly Callee[]>();
    const gone = Array.from(told).filter(([device]) => !devices.includes(device));
    for (const [device] of gone) told.delete(device);
    return gone.flatMap(([, callees]) => callees.map(({ endpoint }) => endpoint));
  }

  forgetSphere(sphereId: SphereId): string[] {
    const told = Array.from(this.#told.get(sphereId)?.values() ?? []).flat();
    const near = Array.from(this.#near.get(sphereId) ?? [], ({ endpoint }) => endpoint);
    this.#told.delete(sphereId);
    this.#near.delete(sphereId);
    return [...told.map(({ endpoint }) => endpoint), ...near];
  }

  forgetTorrent(infoHash: InfoHash): string[] {
    const found = Array.from(this.#found.get(infoHash) ?? [], ({ endpoint }) => endpoint);
    this.#found.delete(infoHash);
    return found;
  }

  /** Devices that told of themselves, and how each can be called. */
  devices(sphereId: SphereId): ReadonlyMap<DeviceKey, readonly Callee[]> {
    return this.#told.get(sphereId) ?? new Map();
  }

  *strangers(sphereId: SphereId, infoHash: InfoHash): Generator<Callee> {
    for (const { endpoint, device, source } of this.#near.get(sphereId) ?? []) {
      yield { endpoint, path: pathOf(endpoint), device, toldBy: null, origin: device ?? source };
    }
    // A member may name ever more trackers.
    for (const { endpoint, device } of this.#found.get(infoHash) ?? []) {
      yield { endpoint, path: pathOf(endpoint), device, toldBy: null, origin: device ?? '' };
    }
  }

  isNamed(endpoint: string): boolean {
    for (const devices of this.#told.values()) {
      for (const callees of devices.values()) if (callees.some((callee) => callee.endpoint === endpoint)) return true;
    }
    for (const found of [...this.#found.values(), ...this.#near.values()]) if (found.has(endpoint)) return true;
    return false;
  }

  #add<Key>(all: Map<Key, FoundEndpoints>, key: Key, endpoint: string, source: string) {
    const found = all.get(key) ?? new FoundEndpoints();
    all.set(key, found);
    return found.add(endpoint, source, this.#clock.monotonic());
  }
}
