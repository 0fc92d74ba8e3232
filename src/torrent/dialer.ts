import type { Clock } from '../base/clock.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Admitted } from './admission.ts';
import type { Callee } from './call-list.ts';
import { CallList } from './call-list.ts';
import type { Attempts, Known, Started } from './call-pace.ts';
import {
  answered,
  attemptsAt,
  beginAttempts,
  dueMs,
  fellShort,
  forgive,
  forgiveShort,
  isLately,
  newKnown,
  unreachable,
} from './call-pace.ts';
import { CallTurns } from './call-turns.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import type { DialTorrent, Due } from './due-call.ts';
import { isForOneFullCopy, kindOf } from './due-call.ts';
import { HeadStart } from './head-start.ts';
import { LazyPace } from './lazy-pace.ts';
import type { RoutedStream } from './route.ts';
import { rankOf } from './route.ts';
import type { Satisfied } from './satisfied.ts';
import { FULLY } from './satisfied.ts';
import { Urgencies } from './urgencies.ts';

export type { DialTorrent } from './due-call.ts';

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

export interface DialRequest extends Omit<Callee, 'origin'> {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly purpose: DialTorrent['purpose'];
  /** Alternates between the newest epoch and the one before, because the other side may not know the newest yet. */
  readonly attempt: number;
  /** The device is connected: only what is better than that is of use. */
  readonly isForBetter: boolean;
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
  /** Whether calls over WebRTC are possible here. */
  readonly hasWebRtc: () => boolean;
  /** Opens a stream and passes admission. */
  readonly dial: (request: DialRequest, signal: AbortSignal) => Promise<DialOutcome>;
  readonly onOutcome: (request: DialRequest, outcome: DialOutcome) => void;
  readonly onConnected: (dialled: Dialled) => void;
}

/** A member wants something that we have: it is asked again so soon what else it wants. */
const WANTS_AGAIN_MS = 30_000;
const IDLE_MS = 30_000;
/** Looking at very many torrents takes no more than a part of the time. */
const SHORT_MS = 1;
const REST = 9;
const REST_MS = 50;
/** Where nobody was admitted yet, being announced again soon is no reason to call again. */
const STRANGER_AGAIN_MS = 10_000;
/** The same for what a device tells of itself: it may be anybody's address. */
const TOLD_AGAIN_MS = 60_000;

/**
 * Calls known members for every torrent that wants connections: on all paths at once, the better ones with a small
 * head start, each with backoff, one call per endpoint, torrent and sphere at a time.
 */
export class Dialer {
  readonly #deps: DialerDeps;
  readonly #list: CallList;
  readonly #known = new Map<string, Known>();
  readonly #headStart = new HeadStart();
  readonly #underWay = new CallsUnderWay();
  readonly #turns = new CallTurns();
  readonly #urgencies = new Urgencies();
  readonly #lazyPace = new LazyPace();
  #wake = new AbortController();

  constructor(deps: DialerDeps) {
    this.#deps = deps;
    this.#list = new CallList(deps);
  }

  /** Endpoints something is remembered of. */
  get known(): number {
    return this.#known.size;
  }

  /** Devices that told where they are, and how each can be called. */
  callees(sphereId: SphereId): ReadonlyMap<DeviceKey, readonly Callee[]> {
    return this.#list.devices(sphereId);
  }

  /** Who was found in the own network or named by trackers; most of them are not known until they are called. */
  strangers(sphereId: SphereId, infoHash: InfoHash): Iterable<Callee> {
    return this.#list.strangers(sphereId, infoHash);
  }

  /** What a member told about itself; replaces what was known. */
  setEndpoints(sphereId: SphereId, device: DeviceKey, endpoints: readonly string[], webrtc = false): void {
    const { now, before } = this.#list.tell(sphereId, device, endpoints, webrtc);
    this.#forgetUnnamed(before);
    const isNews = now.join(' ') !== before.join(' ');
    for (const endpoint of now) {
      this.#forgive(endpoint);
      const known = this.#known.get(endpoint);
      if (isNews && known !== undefined) forgiveShort(known);
    }
    this.wake();
  }

  /** `source`, a tracker for example, named this address for a torrent. */
  found(infoHash: InfoHash, endpoint: string, source: string): void {
    const { added, dropped } = this.#list.found(infoHash, endpoint, source);
    if (dropped !== null) this.#forgetUnnamed([dropped]);
    if (added) this.wake();
  }

  /** Somebody of the sphere says there, in the own network, that it is there. */
  near(sphereId: SphereId, endpoint: string, source: string): void {
    const { dropped } = this.#list.near(sphereId, endpoint, source);
    if (dropped !== null) this.#forgetUnnamed([dropped]);
    const known = this.#known.get(endpoint);
    const nowMs = this.#deps.clock.monotonic();
    // It has just started, or has come back into the network; a flood of announcements makes no flood of calls.
    const isFlood = known !== undefined && known.goodMs < 0 && nowMs - known.nearMs < STRANGER_AGAIN_MS;
    if (known !== undefined && known.urgentMs < nowMs && !isFlood) {
      forgive(known);
      known.nearMs = nowMs;
    }
    this.wake();
  }

  /** The connection to this device broke while it was in use. */
  lost(infoHash: InfoHash, device: DeviceKey): void {
    this.#urgencies.lost(infoHash, device, this.#deps.clock.monotonic());
    this.wake();
  }

  /** The device fetches this torrent, and it may be that it cannot call us: calls that it refused before are forgotten. */
  wanted(sphereId: SphereId, infoHash: InfoHash, device: DeviceKey): void {
    if (!this.#urgencies.wanted(infoHash, device, this.#deps.clock.monotonic())) return;
    const told = this.#list.devices(sphereId).get(device) ?? [];
    const met = Array.from(this.#list.strangers(sphereId, infoHash)).filter((callee) => callee.device === device);
    for (const { endpoint } of [...told, ...met]) {
      const attempts = this.#attemptsAt(endpoint, sphereId, infoHash);
      if (attempts !== undefined) Object.assign(attempts, { count: 0, nextMs: 0 });
    }
    this.wake();
  }

  /** A member whom we asked wants these torrents, which are here. */
  wants({ admitted, route }: Pick<Dialled, 'admitted' | 'route'>, infoHashes: readonly InfoHash[]): void {
    if (infoHashes.length === 0) return;
    const { sphereId, device } = admitted;
    const endpoint = route.address;
    const asked = this.#attemptsAt(endpoint, sphereId, admitted.infoHash);
    if (asked !== undefined) Object.assign(asked, { count: 0, nextMs: this.#deps.clock.monotonic() + WANTS_AGAIN_MS });
    const isTold =
      this.#list
        .devices(sphereId)
        .get(device)
        ?.some((callee) => callee.endpoint === endpoint) ?? false;
    for (const infoHash of infoHashes) {
      // A tracker may have named the address for another torrent only.
      if (!isTold && route.path !== 'webrtc' && route.path !== 'turn') {
        this.found(infoHash, endpoint, device);
        this.#list.good(sphereId, infoHash, endpoint, device);
      }
      this.wanted(sphereId, infoHash, device);
    }
  }

  /** The network is another one: nothing that failed in the one before counts. */
  forgiveAll(): void {
    for (const known of this.#known.values()) {
      forgive(known);
      forgiveShort(known);
    }
    this.#turns.forget();
    this.wake();
  }

  forgetSphere(sphereId: SphereId): void {
    this.#forgetUnnamed(this.#list.forgetSphere(sphereId));
  }

  /** What all other devices of the sphere told of themselves is forgotten. */
  keepOnly(sphereId: SphereId, devices: readonly DeviceKey[]): void {
    this.#forgetUnnamed(this.#list.keepOnly(sphereId, devices));
  }

  forgetTorrent(infoHash: InfoHash): void {
    const found = this.#list.forgetTorrent(infoHash);
    for (const { torrents } of this.#known.values()) torrents.delete(infoHash);
    this.#urgencies.forgetTorrent(infoHash);
    this.#headStart.forget(infoHash);
    this.#forgetUnnamed(found);
  }

  /** Looks again now: a torrent, an endpoint or an appetite changed. */
  wake(): void {
    this.#wake.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const startMs = clock.monotonic();
      const sleepMs = this.#callDue(signal);
      const tookMs = clock.monotonic() - startMs;
      if (tookMs > SHORT_MS) await clock.sleep(Math.min(REST_MS, REST * tookMs), signal);
      try {
        await clock.sleep(sleepMs, AbortSignal.any([signal, this.#wake.signal]));
      } catch (error) {
        if (signal.aborted) throw error;
        // Woken: something changed.
      }
    }
  }

  /** Starts every call that is due and has room, and gives the time until the next one. */
  #callDue(signal: AbortSignal): number {
    // The end of each call wakes.
    if (this.#underWay.isFull) return IDLE_MS;
    const nowMs = this.#deps.clock.monotonic();
    this.#forgetUnnamed(this.#list.expire());
    this.#urgencies.expire(nowMs);
    let nextMs = nowMs + IDLE_MS;
    const due: Due[] = [];
    for (const torrent of this.#deps.torrents()) {
      for (const { callee, urgency, notBeforeMs } of this.#callable(torrent, nowMs)) {
        const { known, attempts } = this.#attemptsOf(torrent, callee.endpoint);
        const atMs = Math.max(notBeforeMs, dueMs(known, attempts, urgency, nowMs));
        if (atMs > nowMs) nextMs = Math.min(nextMs, atMs);
        else due.push({ ...callee, torrent, known, attempts, urgency });
      }
    }
    this.#turns.take(due, nowMs, (call) => {
      const mayCall = this.#hasRoom(call, nowMs) && (!isForOneFullCopy(call) || this.#lazyPace.take(nowMs));
      if (mayCall) void this.#call(call, nowMs, signal);
      return mayCall;
    });
    if (due.some(isForOneFullCopy)) nextMs = Math.min(nextMs, this.#lazyPace.fromMs);
    return Math.max(10, nextMs - nowMs);
  }

  #hasRoom(due: Due, nowMs: number): boolean {
    const { attempts, known } = due;
    const isProven = isLately(known.goodMs, nowMs);
    // Where it is unknown whether anything answers, one call finds out for all torrents.
    if (attempts.running || (known.running > 0 && !isProven && !isLately(known.answeredMs, nowMs))) return false;
    return this.#underWay.hasRoomFor(kindOf(due), isProven);
  }

  *#callable(torrent: DialTorrent, nowMs: number) {
    const { sphereId, infoHash, appetite, satisfied } = torrent;
    if (appetite === 'none') return;
    for (const [device, callees] of this.#list.devices(sphereId)) {
      const level = satisfied.get(device);
      if (level !== undefined) this.#headStart.forget(infoHash, device);
      if (level === FULLY || !this.#deps.mayCall(sphereId, device)) continue;
      const open = callees.filter((callee) => this.#isOpen(callee, level));
      const urgency = this.#urgencies.of(torrent, device, nowMs);
      for (const callee of open) {
        // Beside a connection nobody waits for the better ones among the better.
        const notBeforeMs = level === undefined ? this.#headStart.notBefore(infoHash, callee, open, nowMs) : 0;
        yield { callee, urgency, notBeforeMs };
      }
    }
    for (const callee of this.#list.strangers(sphereId, infoHash)) {
      const { device } = callee;
      const level = device === null ? undefined : satisfied.get(device);
      const isWanted = device === null || (level !== FULLY && this.#deps.mayCall(sphereId, device));
      const urgency = device === null ? appetite : this.#urgencies.of(torrent, device, nowMs);
      if (isWanted && this.#isOpen(callee, level)) yield { callee, urgency, notBeforeMs: 0 };
    }
  }

  #isOpen({ path, endpoint }: Callee, level: Satisfied | undefined): boolean {
    if (level !== undefined && rankOf(path) >= level) return false;
    if (path === 'webrtc') return this.#deps.hasWebRtc();
    return !this.#deps.isOurs(endpoint);
  }

  async #call(due: Due, startedMs: number, signal: AbortSignal): Promise<void> {
    const { torrent, endpoint, path, device, toldBy, attempts, known } = due;
    const { sphereId, infoHash } = torrent;
    const started = { atMs: startedMs, forgiven: known.forgiven };
    const request = {
      sphereId,
      infoHash,
      purpose: torrent.purpose,
      endpoint,
      path,
      device,
      toldBy,
      attempt: attempts.count,
      isForBetter: due.urgency === 'better',
    };
    attempts.running = true;
    known.running += 1;
    const counted = this.#underWay.begin(kindOf(due));
    try {
      this.#settle(due, request, started, await this.#deps.dial(request, signal));
    } catch (error) {
      // An abort is the end of the process; anything else counts as one more failed attempt.
      if (!signal.aborted) this.#deps.log.error('call broke', { infoHash, error });
      unreachable(due, started, this.#deps.clock.monotonic(), this.#deps.random);
    } finally {
      counted[Symbol.dispose]();
      attempts.running = false;
      known.running -= 1;
      this.wake();
    }
  }

  #settle(due: Due, request: DialRequest, started: Started, outcome: DialOutcome): void {
    const { clock, random, log } = this.#deps;
    const { sphereId, infoHash, endpoint, path, attempt } = request;
    const nowMs = clock.monotonic();
    log.debug('call ended', { infoHash, path, outcome: outcome.kind, attempt });
    if (outcome.kind !== 'connected') this.#list.failed(sphereId, infoHash, endpoint);
    if (outcome.kind === 'unreachable') unreachable(due, started, nowMs, random);
    else answered(due, outcome.kind === 'connected', nowMs, random);
    this.#deps.onOutcome(request, outcome);
    if (outcome.kind !== 'connected') return;
    if (rankOf(outcome.dialled.route.path) > rankOf(path)) fellShort(due.attempts, nowMs, random);
    this.#list.good(sphereId, infoHash, endpoint, outcome.dialled.admitted.device);
    this.#deps.onConnected(outcome.dialled);
  }

  #attemptsAt(endpoint: string, sphereId: SphereId, infoHash: InfoHash): Attempts | undefined {
    const known = this.#known.get(endpoint);
    return known === undefined ? undefined : attemptsAt(known, sphereId, infoHash);
  }

  #attemptsOf({ sphereId, infoHash }: DialTorrent, endpoint: string): { known: Known; attempts: Attempts } {
    const known = this.#known.get(endpoint) ?? newKnown();
    this.#known.set(endpoint, known);
    const attempts = attemptsAt(known, sphereId, infoHash) ?? beginAttempts(known, sphereId, infoHash);
    return { known, attempts };
  }

  /** Who tells its addresses, even the same again, is there: it deserves a call at once where it was met, else seldom. */
  #forgive(endpoint: string): void {
    const known = this.#known.get(endpoint);
    const nowMs = this.#deps.clock.monotonic();
    if (known === undefined || (!isLately(known.goodMs, nowMs) && nowMs - known.toldMs < TOLD_AGAIN_MS)) return;
    known.toldMs = nowMs;
    forgive(known);
  }

  /** A member that names new addresses all the time must not fill the memory. */
  #forgetUnnamed(endpoints: readonly string[]): void {
    for (const endpoint of endpoints) if (!this.#list.isNamed(endpoint)) this.#known.delete(endpoint);
  }
}
