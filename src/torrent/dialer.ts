import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Appetite } from './active-torrent.ts';
import type { Admitted } from './admission.ts';
import { FoundEndpoints } from './found-endpoints.ts';
import type { RoutedStream } from './route.ts';

/** An opened and admitted stream. */
export interface Dialled extends RoutedStream {
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
/** Of the calls under way, to addresses that one device told or that any tracker named: the others must not wait. */
const MOST_DIALS_OF_ONE = 8;
const MOST_ENDPOINTS = 32;
const IDLE_MS = 30_000;

interface Attempts {
  count: number;
  /** Monotonic. */
  nextMs: number;
  running: boolean;
}

/** What is remembered of an endpoint, for as long as somebody names it. */
interface Known {
  /** When a member was last met there, monotonic; -1 = never. */
  goodMs: number;
  /** Calls that nothing answered, for all torrents together. */
  silentCount: number;
  silentUntilMs: number;
  readonly torrents: Map<InfoHash, Attempts>;
}

/** An address that may be called for a torrent. */
interface Callee {
  readonly endpoint: string;
  /** The device that told it of itself; null = found elsewhere. */
  readonly toldBy: DeviceKey | null;
}

interface Due extends Callee {
  readonly torrent: DialTorrent;
  readonly known: Known;
  readonly attempts: Attempts;
}

/** Calls known endpoints for every torrent that wants connections, with backoff, one call per endpoint and torrent at a time. */
export class Dialer {
  readonly #deps: DialerDeps;
  readonly #endpoints = new Map<SphereId, Map<DeviceKey, readonly string[]>>();
  readonly #found = new Map<InfoHash, FoundEndpoints>();
  readonly #known = new Map<string, Known>();
  /** Calls under way, by whoever told the address. */
  readonly #lanes = new Map<DeviceKey | null, number>();
  #dials = 0;
  #wake = new AbortController();

  constructor(deps: DialerDeps) {
    this.#deps = deps;
  }

  /** Endpoints something is remembered of. */
  get known(): number {
    return this.#known.size;
  }

  /** What a member told about itself; replaces what was known. */
  setEndpoints(sphereId: SphereId, device: DeviceKey, endpoints: readonly string[]): void {
    const devices = this.#endpoints.get(sphereId) ?? new Map<DeviceKey, readonly string[]>();
    const before = new Set(devices.get(device) ?? []);
    this.#endpoints.set(sphereId, devices);
    devices.set(device, endpoints.slice(0, MOST_ENDPOINTS));
    this.#forgetUnnamed([...before]);
    // A new address deserves a call at once.
    for (const endpoint of endpoints) if (!before.has(endpoint)) this.#forgive(endpoint);
    this.wake();
  }

  /** `source`, a tracker for example, named this address for a torrent. */
  found(infoHash: InfoHash, endpoint: string, source: string): void {
    const found = this.#found.get(infoHash) ?? new FoundEndpoints();
    this.#found.set(infoHash, found);
    const { added, dropped } = found.add(endpoint, source, this.#deps.clock.monotonic());
    if (dropped !== null) this.#forgetUnnamed([dropped]);
    if (added) this.wake();
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
    const found = Array.from(this.#found.get(infoHash) ?? [], ({ endpoint }) => endpoint);
    this.#found.delete(infoHash);
    for (const { torrents } of this.#known.values()) torrents.delete(infoHash);
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

  /** Starts every call that is due, the most promising first, and gives the time until the next one. */
  #callDue(signal: AbortSignal): number {
    // The end of each call wakes.
    if (this.#dials >= MOST_DIALS) return IDLE_MS;
    const nowMs = this.#deps.clock.monotonic();
    for (const found of this.#found.values()) this.#forgetUnnamed(found.expire(nowMs));
    let nextMs = nowMs + IDLE_MS;
    const due: Due[] = [];
    for (const torrent of this.#deps.torrents()) {
      if (torrent.appetite === 'none') continue;
      for (const callee of this.#callable(torrent)) {
        const { known, attempts } = this.#attemptsOf(torrent.infoHash, callee.endpoint);
        const dueMs = Math.max(attempts.nextMs, known.silentUntilMs);
        if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs);
        else due.push({ ...callee, torrent, known, attempts });
      }
    }
    for (const call of due.toSorted(byPromise)) if (this.#hasRoom(call)) void this.#call(call, signal);
    return Math.max(10, nextMs - nowMs);
  }

  #hasRoom({ attempts, torrent, toldBy }: Due): boolean {
    const most = torrent.appetite === 'eager' ? MOST_DIALS : MOST_LAZY_DIALS;
    return !attempts.running && this.#dials < most && (this.#lanes.get(toldBy) ?? 0) < MOST_DIALS_OF_ONE;
  }

  *#callable(torrent: DialTorrent): Generator<Callee> {
    const { sphereId, infoHash, satisfied } = torrent;
    for (const [device, endpoints] of this.#endpoints.get(sphereId) ?? []) {
      if (satisfied.has(device) || !this.#deps.mayCall(sphereId, device)) continue;
      for (const endpoint of endpoints) if (!this.#deps.isOurs(endpoint)) yield { endpoint, toldBy: device };
    }
    for (const { endpoint, device } of this.#found.get(infoHash) ?? []) {
      if (this.#deps.isOurs(endpoint)) continue;
      const isWanted = device === null || (!satisfied.has(device) && this.#deps.mayCall(sphereId, device));
      if (isWanted) yield { endpoint, toldBy: null };
    }
  }

  async #call(due: Due, signal: AbortSignal): Promise<void> {
    const { torrent, endpoint, toldBy, attempts } = due;
    const { sphereId, infoHash } = torrent;
    attempts.running = true;
    this.#dials += 1;
    this.#lanes.set(toldBy, (this.#lanes.get(toldBy) ?? 0) + 1);
    try {
      const outcome = await this.#deps.dial({ sphereId, infoHash, endpoint, attempt: attempts.count }, signal);
      this.#settle(due, outcome);
    } catch (error) {
      // An abort is the end of the process; anything else counts as one more failed attempt.
      if (!signal.aborted) this.#deps.log.error('call broke', { infoHash, error });
      attempts.count += 1;
    } finally {
      this.#dials -= 1;
      const left = (this.#lanes.get(toldBy) ?? 1) - 1;
      if (left === 0) this.#lanes.delete(toldBy);
      else this.#lanes.set(toldBy, left);
      attempts.running = false;
      this.wake();
    }
  }

  #settle({ torrent, endpoint, known, attempts }: Due, outcome: DialOutcome): void {
    const { clock, random, log } = this.#deps;
    const { infoHash, appetite } = torrent;
    const nowMs = clock.monotonic();
    log.debug('call ended', { infoHash, outcome: outcome.kind, attempt: attempts.count });
    if (outcome.kind !== 'connected') this.#found.get(infoHash)?.failed(endpoint);
    if (outcome.kind === 'unreachable') {
      known.silentUntilMs = nowMs + backoffDelay(known.silentCount, UNREACHABLE, random);
      known.silentCount += 1;
      return;
    }
    this.#answered(known);
    const eager = appetite === 'eager';
    // Two full copies part at once, so a lazy call that succeeds is no reason to call again soon.
    attempts.count = outcome.kind === 'connected' && eager ? 0 : attempts.count + 1;
    attempts.nextMs = nowMs + backoffDelay(Math.max(0, attempts.count - 1), BACKOFF[eager ? 'eager' : 'lazy'], random);
    if (outcome.kind !== 'connected') return;
    known.goodMs = nowMs;
    this.#found.get(infoHash)?.good(endpoint, outcome.dialled.admitted.device, nowMs);
    this.#deps.onConnected(outcome.dialled);
  }

  #answered(known: Known): void {
    known.silentCount = 0;
    known.silentUntilMs = 0;
  }

  #attemptsOf(infoHash: InfoHash, endpoint: string): { known: Known; attempts: Attempts } {
    const known = this.#known.get(endpoint) ?? { goodMs: -1, silentCount: 0, silentUntilMs: 0, torrents: new Map() };
    this.#known.set(endpoint, known);
    const attempts = known.torrents.get(infoHash) ?? { count: 0, nextMs: 0, running: false };
    known.torrents.set(infoHash, attempts);
    return { known, attempts };
  }

  #forgive(endpoint: string): void {
    const known = this.#known.get(endpoint);
    if (known === undefined) return;
    this.#answered(known);
    for (const attempts of known.torrents.values()) {
      attempts.count = 0;
      attempts.nextMs = 0;
    }
  }

  /** A member that names new addresses all the time must not fill the memory. */
  #forgetUnnamed(endpoints: readonly string[]): void {
    for (const endpoint of endpoints) if (!this.#isNamed(endpoint)) this.#known.delete(endpoint);
  }

  #isNamed(endpoint: string): boolean {
    for (const devices of this.#endpoints.values())
      for (const told of devices.values()) if (told.includes(endpoint)) return true;
    for (const found of this.#found.values()) if (found.has(endpoint)) return true;
    return false;
  }
}

/** Where a member was met, newest first; then what members say of themselves; then what failed least. */
function byPromise(a: Due, b: Due): number {
  const told = Number(b.toldBy !== null) - Number(a.toldBy !== null);
  return b.known.goodMs - a.known.goodMs || told || failures(a) - failures(b);
}

const failures = ({ known, attempts }: Due): number => known.silentCount + attempts.count;
