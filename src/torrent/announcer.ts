// BEP 3: tracker protocol, BEP 7: IPv6, BEP 23: compact peer lists
import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import { errorCode } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { KeptConnections } from './kept-connections.ts';
import { withinTime } from '../base/within-time.ts';
import { fetchAnswer, parseAnswer, PEERS_WANTED, percentEncode } from './tracker-answer.ts';

const ANSWER_TIMEOUT_MS = 10_000;
const LEAST_INTERVAL_MS = 60_000;
const RETRY_MS = 120_000;
/** The least time between two announces, so that a thousand torrents do not announce at once. */
const SPACING_MS = 100;
/** The same for full copies: they only say where they can be found. */
const FULL_SPACING_MS = 1_000;
/** However many there are, each is announced again within this time: trackers forget those who do not come back. */
export const FULL_ROUND_MS = 3_600_000;
const MOST_AT_ONCE = 8;
const IDLE_MS = 30_000;
/** A thousand torrents that are added one after the other are looked at once. */
const GATHER_MS = 20;
/** Members' trackers have exactly this form: a member cannot make us call anything else. */
const TRACKER_URL = /^http:\/\/((?:[0-9.]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5})\/[0-9a-f]{32}\/announce$/;

/** `mayCall` judges its `host:port`. */
export function isTrackerUrl(text: string, mayCall: (endpoint: string) => boolean): boolean {
  const match = text.length <= 200 ? TRACKER_URL.exec(text) : null;
  return match !== null && mayCall(match[1] ?? '');
}

/** One torrent to announce at some trackers. */
export interface Announcement {
  readonly infoHash: InfoHash;
  /** What the trackers know the torrent by, for each current epoch. */
  readonly hashes: readonly string[];
  readonly trackers: readonly string[];
  readonly bytesLeft: number;
}

export interface AnnouncerDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly port: () => number;
  readonly announcements: () => Iterable<Announcement>;
  /** `tracker` is the one that named the endpoint. */
  readonly onPeer: (infoHash: InfoHash, endpoint: string, tracker: string) => void;
}

/**
 * Tells members' trackers which torrents we take part in, spread in time, and learns addresses from them. Trackers are
 * asked side by side, each for one torrent at a time, so that one which is off holds up only itself.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps;
  readonly #peerId: Uint8Array;
  /** By hash and tracker. */
  #entries = new Map<string, Entry>();
  #listAgainMs = -Infinity;
  /** Trackers that did not answer, and when they are tried again. */
  readonly #silentUntilMs = new Map<string, number>();
  /** By tracker. */
  readonly #asking = new Map<string, Promise<void>>();
  readonly #connections = new KeptConnections();
  /** When the next full copy may be announced. */
  #fullFromMs = 0;
  #fullSpacingMs = FULL_SPACING_MS;
  #wake = new AbortController();

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
    this.#peerId = deps.random(20);
  }

  /** Looks again now: a torrent or a tracker is new. */
  wake(): void {
    this.#listAgainMs = -Infinity;
    this.#wake.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(signal);
    } finally {
      await Promise.all(this.#asking.values());
      this.#connections[Symbol.dispose]();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const due = this.#next(clock.monotonic());
      if (due.kind === 'announce') this.#asking.set(due.entry.tracker, this.#announce(due.entry, signal));
      const pauseMs = due.kind === 'announce' ? SPACING_MS : due.inMs;
      const waking = due.kind === 'announce' ? signal : AbortSignal.any([signal, this.#wake.signal]);
      try {
        await clock.sleep(pauseMs, waking);
      } catch (error) {
        if (signal.aborted) throw error;
        // Woken: something is new.
        await clock.sleep(GATHER_MS, signal);
      }
    }
  }

  /** The one that is due longest, at a tracker that is not being asked. */
  #next(nowMs: number): Due {
    // The end of each announce wakes.
    if (this.#asking.size >= MOST_AT_ONCE) return { kind: 'wait', inMs: IDLE_MS };
    if (nowMs >= this.#listAgainMs) this.#list(nowMs);
    let firstMs = Infinity;
    let first: Entry | undefined;
    for (const entry of this.#entries.values()) {
      const { tracker, announcement } = entry;
      if (this.#asking.has(tracker)) continue;
      const fromMs = announcement.bytesLeft === 0 ? this.#fullFromMs : 0;
      const dueMs = Math.max(entry.dueMs, this.#silentUntilMs.get(tracker) ?? 0, fromMs);
      if (dueMs >= firstMs) continue;
      firstMs = dueMs;
      first = entry;
    }
    if (first === undefined) return { kind: 'wait', inMs: IDLE_MS };
    if (firstMs > nowMs) return { kind: 'wait', inMs: Math.min(IDLE_MS, firstMs - nowMs) };
    return { kind: 'announce', entry: first };
  }

  /** Takes up what is new and forgets what is gone. */
  #list(nowMs: number): void {
    const before = this.#entries;
    const trackers = new Set<string>();
    this.#entries = new Map();
    for (const announcement of this.#deps.announcements()) {
      for (const tracker of announcement.trackers) {
        trackers.add(tracker);
        for (const hash of announcement.hashes) {
          const key = `${hash} ${tracker}`;
          const entry = before.get(key) ?? { announcement, tracker, hash, dueMs: 0 };
          entry.announcement = announcement;
          this.#entries.set(key, entry);
        }
      }
    }
    for (const tracker of this.#silentUntilMs.keys()) if (!trackers.has(tracker)) this.#silentUntilMs.delete(tracker);
    const full = this.#entries
      .values()
      .reduce((count, { announcement }) => count + Number(announcement.bytesLeft === 0), 0);
    this.#fullSpacingMs = Math.max(SPACING_MS, Math.min(FULL_SPACING_MS, FULL_ROUND_MS / full));
    this.#listAgainMs = nowMs + IDLE_MS;
  }

  async #announce(entry: Entry, signal: AbortSignal): Promise<void> {
    const { clock, log, onPeer } = this.#deps;
    const { tracker, hash, announcement } = entry;
    const url = this.#url(tracker, hash, announcement.bytesLeft);
    let againMs = RETRY_MS;
    if (announcement.bytesLeft === 0) this.#fullFromMs = clock.monotonic() + this.#fullSpacingMs;
    try {
      const limit = { clock, ms: ANSWER_TIMEOUT_MS };
      const body = await withinTime(limit, signal, (limited) => this.#ask(tracker, url, limited));
      this.#silentUntilMs.delete(tracker);
      const answer = parseAnswer(body);
      againMs = Math.max(LEAST_INTERVAL_MS, answer.intervalMs);
      for (const endpoint of answer.peers) onPeer(announcement.infoHash, endpoint, tracker);
    } catch (error) {
      // A tracker is a member's own machine and may be off: it is asked again later.
      const code = errorCode(error);
      log.debug('announce failed', { code });
      if (SILENT.includes(code)) this.#silentUntilMs.set(tracker, clock.monotonic() + RETRY_MS);
    } finally {
      this.#asking.delete(tracker);
      entry.dueMs = clock.monotonic() + againMs;
      this.#wake.abort();
    }
  }

  #ask(tracker: string, url: string, signal: AbortSignal): Promise<Uint8Array> {
    const agent = this.#connections.to(tracker, (other) => this.#asking.has(other));
    return fetchAnswer(url, { agent }, signal);
  }

  #url(tracker: string, hash: string, bytesLeft: number): string {
    const query = [
      `info_hash=${percentEncode(hash)}`,
      `peer_id=${percentEncode(toHex(this.#peerId))}`,
      `port=${this.#deps.port()}`,
      'uploaded=0&downloaded=0',
      `left=${bytesLeft}`,
      `compact=1&numwant=${PEERS_WANTED}`,
    ];
    return `${tracker}?${query.join('&')}`;
  }
}

/** One torrent, at one tracker, under one of its hashes. */
interface Entry {
  announcement: Announcement;
  readonly tracker: string;
  readonly hash: string;
  /** Monotonic. */
  dueMs: number;
}
type Due = { readonly kind: 'wait'; readonly inMs: number } | { readonly kind: 'announce'; readonly entry: Entry };

/** What says that a tracker does not answer, for whichever torrent. */
const SILENT: readonly ErrorCode[] = ['disconnected', 'timed-out'];
