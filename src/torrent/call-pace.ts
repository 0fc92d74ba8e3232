import { backoffDelay } from '../base/backoff.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { isStraight } from './route.ts';

/**
 * How much a call matters: `urgent` is to a device that was connected and may be lost, `eager` for a torrent that a
 * person waits for, `lazy` for one that only offers its full copy, `better` when a worse path serves meanwhile.
 */
export type Urgency = 'urgent' | 'eager' | 'lazy' | 'better';

const BACKOFF = {
  urgent: { baseMs: 1_000, maxMs: 60_000 },
  eager: { baseMs: 1_000, maxMs: 60_000 },
  lazy: { baseMs: 5_000, maxMs: 1_800_000 },
  better: { baseMs: 30_000, maxMs: 600_000 },
} as const;
const UNREACHABLE = { baseMs: 2_000, maxMs: 120_000 } as const;
/** An attempt costs messages to everybody in the room. */
const UNREACHABLE_RTC = { baseMs: 4_000, maxMs: 600_000 } as const;
/** The same while a relay serves, and the way around it was not found. */
const AROUND_RELAY = { baseMs: 60_000, maxMs: 1_800_000 } as const;
/** Between urgent calls to an address where the device was met lately; the first failure may be an accident. */
const URGENT_MS = 2_000;
const URGENT_FIRST_MS = 500;
const LATELY_MS = 10 * 60_000;

/** Of one torrent of one sphere at one endpoint: whoever refuses in one of its spheres may admit in another. */
export interface Attempts {
  readonly sphereId: SphereId;
  /** In the next of the torrent's spheres; few have several. */
  readonly next: Attempts | undefined;
  count: number;
  /** Monotonic. */
  nextMs: number;
  urgentMs: number;
  /** How often the path was worse than the one that was called, and until when that is reason enough not to try again. */
  shortCount: number;
  shortUntilMs: number;
  running: boolean;
}

/** What is remembered of an endpoint, for as long as somebody names it. */
export interface Known {
  /** When a member was last met there, monotonic; -1 = never. */
  goodMs: number;
  /** When anything answered there. */
  answeredMs: number;
  /** Calls that nothing answered, for all torrents together. */
  silentCount: number;
  silentSinceMs: number;
  silentUntilMs: number;
  urgentMs: number;
  /** When somebody last announced itself there in the own network. */
  nearMs: number;
  /** When its member last told it and what failed was forgiven for that. */
  toldMs: number;
  running: number;
  /** How often what failed before was forgiven: a call that began before the last time has failed for nothing. */
  forgiven: number;
  readonly torrents: Map<InfoHash, Attempts>;
}

export function newKnown(): Known {
  const never = { goodMs: -1, answeredMs: -1, silentCount: 0, silentSinceMs: -1, silentUntilMs: 0 };
  return { ...never, urgentMs: 0, nearMs: -Infinity, toldMs: -Infinity, running: 0, forgiven: 0, torrents: new Map() };
}

/** What is remembered of a torrent at this endpoint; undefined before the first call in this sphere. */
export function attemptsAt(known: Known, sphereId: SphereId, infoHash: InfoHash): Attempts | undefined {
  let attempts = known.torrents.get(infoHash);
  while (attempts !== undefined && attempts.sphereId !== sphereId) attempts = attempts.next;
  return attempts;
}

export function beginAttempts(known: Known, sphereId: SphereId, infoHash: InfoHash): Attempts {
  const never = { count: 0, nextMs: 0, urgentMs: 0, shortCount: 0, shortUntilMs: 0, running: false };
  const attempts = { ...never, sphereId, next: known.torrents.get(infoHash) };
  known.torrents.set(infoHash, attempts);
  return attempts;
}

function* allAttempts({ torrents }: Known): Generator<Attempts> {
  for (const first of torrents.values()) {
    for (let attempts: Attempts | undefined = first; attempts !== undefined; attempts = attempts.next) yield attempts;
  }
}

/** Whether a member was met there so lately that it is worth another call, or many at once. */
export function isLately(thenMs: number, nowMs: number): boolean {
  return thenMs >= 0 && nowMs - thenMs < LATELY_MS;
}

export function dueMs(known: Known, attempts: Attempts, urgency: Urgency, nowMs: number): number {
  const orderlyMs = Math.max(attempts.nextMs, known.silentUntilMs);
  if (urgency === 'better') return Math.max(orderlyMs, attempts.shortUntilMs);
  if (urgency !== 'urgent' || !isLately(known.goodMs, nowMs)) return orderlyMs;
  return Math.min(orderlyMs, Math.max(attempts.urgentMs, known.urgentMs));
}

/** A call under way. */
export interface Started {
  /** Monotonic. */
  readonly atMs: number;
  readonly forgiven: number;
}

/** The relay was used where the direct way was called, or it was looked for in vain beside the relay. */
export function fellShort(attempts: Attempts, nowMs: number, random: () => number): void {
  attempts.shortUntilMs = nowMs + backoffDelay(attempts.shortCount, AROUND_RELAY, random);
  attempts.shortCount += 1;
}

/** Nothing answered there: no torrent needs to try it for a while. */
export function unreachable(
  { known, path, attempts, urgency }: { known: Known; path: Path; attempts: Attempts; urgency: Urgency },
  started: Started,
  nowMs: number,
  random: () => number,
): void {
  if (known.forgiven !== started.forgiven) return;
  // The device is there, and is called as ever when the relay fails.
  if (urgency === 'better' && !isStraight(path)) {
    fellShort(attempts, nowMs, random);
    return;
  }
  // Calls for several torrents that fail together are one failure.
  const isCounted = known.silentSinceMs > started.atMs;
  const isFirst = known.silentCount <= (isCounted ? 1 : 0);
  known.urgentMs = nowMs + (isFirst ? URGENT_FIRST_MS : URGENT_MS) * (1 + random() / 2);
  if (isCounted) return;
  known.silentSinceMs = nowMs;
  known.silentUntilMs =
    nowMs + backoffDelay(known.silentCount, isStraight(path) ? UNREACHABLE : UNREACHABLE_RTC, random);
  known.silentCount += 1;
}

/** Something answered there. */
export function answered(
  call: { known: Known; attempts: Attempts; urgency: Urgency },
  isConnected: boolean,
  nowMs: number,
  random: () => number,
): void {
  const { known, attempts, urgency } = call;
  known.silentCount = 0;
  known.silentUntilMs = 0;
  known.answeredMs = nowMs;
  if (isConnected) known.goodMs = nowMs;
  // Two full copies part at once, so a lazy call that succeeds is no reason to call again soon; nor is a better path, or
  // two ends that see paths differently would go to and fro.
  attempts.count = isConnected && urgency !== 'lazy' && urgency !== 'better' ? 0 : attempts.count + 1;
  attempts.nextMs = nowMs + backoffDelay(Math.max(0, attempts.count - 1), BACKOFF[urgency], random);
  attempts.urgentMs = nowMs + URGENT_MS * (1 + random() / 2);
}

/** Nothing that failed before counts. */
export function forgive(known: Known): void {
  known.forgiven += 1;
  known.silentCount = 0;
  known.silentUntilMs = 0;
  known.urgentMs = 0;
  for (const attempts of allAttempts(known)) Object.assign(attempts, { count: 0, nextMs: 0, urgentMs: 0 });
}

/** One of the networks is another one, and so may be the way around a relay. */
export function forgiveShort(known: Known): void {
  for (const attempts of allAttempts(known)) Object.assign(attempts, { shortCount: 0, shortUntilMs: 0 });
}
