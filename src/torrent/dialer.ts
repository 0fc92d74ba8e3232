import type { Socket } from 'node:net';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Appetite } from './active-torrent.ts';
import type { Admitted } from './admission.ts';

/** An opened and admitted stream. */
export interface Dialled {
  readonly socket: Socket;
  readonly admitted: Admitted;
}

export type DialOutcome =
  | { readonly kind: 'connected'; readonly dialled: Dialled }
  /** Nothing answers there: no torrent needs to try it for a while. */
  | { readonly kind: 'unreachable' }
  /** Something answered and did not admit us: it may lack the torrent, or the epoch. */
  | { readonly kind: 'refused' };

/** One torrent that may want connections. */
export interface DialTorrent {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly appetite: Appetite;
  /** Devices that need no call for this torrent. */
  readonly satisfied: ReadonlySet<DeviceKey>;
}

export interface DialRequest {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly endpoint: string;
  /** Alternates between the newest epoch and the one before, because the other side may not know the newest yet. */
  readonly attempt: number;
}

export interface DialerDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly torrents: () => Iterable<DialTorrent>;
  /** Whether this device may be called for torrents of this sphere. */
  readonly mayCall: (sphereId: SphereId, device: DeviceKey) => boolean;
  /** Our own addresses: never called. */
  readonly isOurs: (endpoint: string) => boolean;
  /** Opens a stream and passes admission. */
  readonly dial: (request: DialRequest, signal: AbortSignal) => Promise<DialOutcome>;
  readonly onConnected: (dialled: Dialled) => void;
}

/** An eager torrent is waited for by a person; a lazy one only offers its full copy. */
const BACKOFF = { eager: { baseMs: 1_000, maxMs: 60_000 }, lazy: { baseMs: 5_000, maxMs: 1_800_000 } } as const;
const UNREACHABLE = { baseMs: 2_000, maxMs: 120_000 } as const;
const MOST_DIALS = 16;
const MOST_LAZY_DIALS = 4;
const MOST_ENDPOINTS = 32;
const MOST_FOUND = 64;
const IDLE_MS = 30_000;

interface Attempts {
  count: number;
  /** Monotonic. */
  nextMs: number;
  running: boolean;
}

/** Calls known endpoints for every torrent that wants connections, with backoff, one call per endpoint and torrent at a time. */
export class Dialer {
  readonly #deps: DialerDeps;
  readonly #endpoints = new Map<SphereId, Map<DeviceKey, readonly string[]>>();
  /** Addresses from trackers, whose device is unknown until admission told it. */
  readonly #found = new Map<InfoHash, Map<string, DeviceKey | null>>();
  /** By endpoint, for as long as somebody names it. */
  readonly #attempts = new Map<string, Map<InfoHash, Attempts>>();
  /** Endpoints where nothing answered, for all torrents together. */
  readonly #silent = new Map<string, Attempts>();
  #dials = 0;
  #wake = new AbortController();

  constructor(deps: DialerDeps) {
    this.#deps = deps;
  }

  /** Endpoints something is remembered of. */
  get known(): number {
    return new Set([...this.#attempts.keys(), ...this.#silent.keys()]).size;
  }

  /** What a member told about itself; replaces what was known. */
  setEndpoints(sphereId: SphereId, device: DeviceKey, endpoints: readonly string[]): void {
    const devices = this.#endpoints.get(sphereId) ?? new Map<DeviceKey, readonly string[]>();
    const before = new Set(devices.get(device) ?? []);
    this.#endpoints.set(sphereId, devices);
    devices.set(device, endpoints.slice(0, MOST_ENDPOINTS));
    this.#forgetUnnamed(before);
    // A new address deserves a call at once.
    for (const endpoint of endpoints) if (!before.has(endpoint)) this.#forgive(endpoint);
    this.wake();
  }

  /** A tracker named this address for a torrent. */
  found(infoHash: InfoHash, endpoint: string): void {
    const known = this.#found.get(infoHash) ?? new Map<string, DeviceKey | null>();
    this.#found.set(infoHash, known);
    if (known.has(endpoint) || known.size >= MOST_FOUND) return;
    known.set(endpoint, null);
    this.wake();
  }

  endpointsOf(sphereId: SphereId): { device: DeviceKey; endpoints: readonly string[] }[] {
    const devices = this.#endpoints.get(sphereId) ?? new Map<DeviceKey, readonly string[]>();
    return Array.from(devices, ([device, endpoints]) => ({ device, endpoints }));
  }

  forgetSphere(sphereId: SphereId): void {
    const devices = this.#endpoints.get(sphereId)?.values() ?? [];
    this.#endpoints.delete(sphereId);
    this.#forgetUnnamed(Array.from(devices).flat());
  }

  forgetTorrent(infoHash: InfoHash): void {
    const found = this.#found.get(infoHash)?.keys() ?? [];
    this.#found.delete(infoHash);
    for (const attempts of this.#attempts.values()) attempts.delete(infoHash);
    this.#forgetUnnamed(found);
  }

  /** Looks again now: a torrent, an endpoint or an appetite changed. */
  wake(): void {
    this.#wake.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const sleepMs = this.#callDue(signal);
      try {
        await this.#deps.clock.sleep(sleepMs, AbortSignal.any([signal, this.#wake.signal]));
      } catch (error) {
        if (signal.aborted) throw error;
        // Woken: something changed.
      }
    }
  }

  /** Starts every call that is due and gives the time until the next one. */
  #callDue(signal: AbortSignal): number {
    const nowMs = this.#deps.clock.monotonic();
    let nextMs = nowMs + IDLE_MS;
    for (const torrent of this.#deps.torrents()) {
      if (torrent.appetite === 'none') continue;
      const most = torrent.appetite === 'eager' ? MOST_DIALS : MOST_LAZY_DIALS;
      for (const endpoint of this.#callable(torrent)) {
        const attempts = this.#attemptsOf(torrent.infoHash, endpoint);
        if (attempts.running) continue;
        const dueMs = Math.max(attempts.nextMs, this.#silent.get(endpoint)?.nextMs ?? 0);
        if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs);
        else if (this.#dials < most) void this.#call(torrent, endpoint, attempts, signal);
      }
    }
    return Math.max(10, nextMs - nowMs);
  }

  *#callable(torrent: DialTorrent): Generator<string> {
    const { sphereId, infoHash, satisfied } = torrent;
    for (const [device, endpoints] of this.#endpoints.get(sphereId) ?? []) {
      if (satisfied.has(device) || !this.#deps.mayCall(sphereId, device)) continue;
      for (const endpoint of endpoints) if (!this.#deps.isOurs(endpoint)) yield endpoint;
    }
    for (const [endpoint, device] of this.#found.get(infoHash) ?? []) {
      if (this.#deps.isOurs(endpoint)) continue;
      if (device === null || (!satisfied.has(device) && this.#deps.mayCall(sphereId, device))) yield endpoint;
    }
  }

  async #call(torrent: DialTorrent, endpoint: string, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { sphereId, infoHash } = torrent;
    attempts.running = true;
    this.#dials += 1;
    try {
      const outcome = await this.#deps.dial({ sphereId, infoHash, endpoint, attempt: attempts.count }, signal);
      this.#settle(torrent, endpoint, attempts, outcome);
    } catch (error) {
      // An abort is the end of the process; anything else counts as one more failed attempt.
      if (!signal.aborted) this.#deps.log.error('call broke', { infoHash, error });
      attempts.count += 1;
    } finally {
      this.#dials -= 1;
      attempts.running = false;
      this.wake();
    }
  }

  #settle(torrent: DialTorrent, endpoint: string, attempts: Attempts, outcome: DialOutcome): void {
    const { clock, random, log } = this.#deps;
    const { infoHash, appetite } = torrent;
    log.debug('call ended', { infoHash, outcome: outcome.kind, attempt: attempts.count });
    if (outcome.kind === 'unreachable') {
      // Nobody has named it since the call began.
      if (!this.#attempts.has(endpoint)) return;
      const silent = this.#silent.get(endpoint) ?? { count: 0, nextMs: 0, running: false };
      this.#silent.set(endpoint, silent);
      silent.nextMs = clock.monotonic() + backoffDelay(silent.count, UNREACHABLE, random);
      silent.count += 1;
      return;
    }
    this.#silent.delete(endpoint);
    const eager = appetite === 'eager';
    // Two full copies part at once, so a lazy call that succeeds is no reason to call again soon.
    attempts.count = outcome.kind === 'connected' && eager ? 0 : attempts.count + 1;
    attempts.nextMs =
      clock.monotonic() + backoffDelay(Math.max(0, attempts.count - 1), BACKOFF[eager ? 'eager' : 'lazy'], random);
    if (outcome.kind !== 'connected') return;
    const found = this.#found.get(infoHash);
    if (found?.has(endpoint) === true) found.set(endpoint, outcome.dialled.admitted.device);
    this.#deps.onConnected(outcome.dialled);
  }

  #attemptsOf(infoHash: InfoHash, endpoint: string): Attempts {
    const ofEndpoint = this.#attempts.get(endpoint) ?? new Map<InfoHash, Attempts>();
    this.#attempts.set(endpoint, ofEndpoint);
    const known = ofEndpoint.get(infoHash) ?? { count: 0, nextMs: 0, running: false };
    ofEndpoint.set(infoHash, known);
    return known;
  }

  #forgive(endpoint: string): void {
    this.#silent.delete(endpoint);
    for (const attempts of this.#attempts.get(endpoint)?.values() ?? []) {
      attempts.count = 0;
      attempts.nextMs = 0;
    }
  }

  /** A member that names new addresses all the time must not fill the memory. */
  #forgetUnnamed(endpoints: Iterable<string>): void {
    const named = new Set<string>();
    for (const devices of this.#endpoints.values())
      for (const ones of devices.values()) for (const one of ones) named.add(one);
    for (const found of this.#found.values()) for (const one of found.keys()) named.add(one);
    for (const endpoint of endpoints) {
      if (named.has(endpoint)) continue;
      this.#attempts.delete(endpoint);
      this.#silent.delete(endpoint);
    }
  }
}
