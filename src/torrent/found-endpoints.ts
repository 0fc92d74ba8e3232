import type { DeviceKey } from '../base/id.ts';

/** An address somebody else than its owner named. */
export interface FoundEndpoint {
  readonly endpoint: string;
  /** Known once admission told it. */
  readonly device: DeviceKey | null;
  /** Who named it first. */
  readonly source: string;
}

interface Found {
  /** Who named it first. */
  readonly source: string;
  device: DeviceKey | null;
  /** Since it was last good. */
  failures: number;
  /** Monotonic: when a member was last met there; when it was named as long as nobody was. */
  goodMs: number;
}

const MOST = 64;
/** Of one source, as long as nobody was met there: whoever makes addresses up crowds only its own out. */
const MOST_UNPROVEN = 16;
/** An address that fails for so long is forgotten; whoever is there is named again. */
const FAILING_MS = 30 * 60_000;

/** Addresses for one torrent from trackers: few of each, failing ones leave first. */
export class FoundEndpoints {
  readonly #found = new Map<string, Found>();

  *[Symbol.iterator](): Generator<FoundEndpoint> {
    for (const [endpoint, { device, source }] of this.#found) yield { endpoint, device, source };
  }

  has(endpoint: string): boolean {
    return this.#found.has(endpoint);
  }

  /** Whether it is new and has room, and what left for it. */
  add(endpoint: string, source: string, nowMs: number): { readonly added: boolean; readonly dropped: string | null } {
    const none = { added: false, dropped: null };
    if (this.#found.has(endpoint)) return none;
    const crowd = this.#crowd(source);
    // The one that failed most often leaves, of several the oldest.
    const worst = crowd?.toSorted(([, a], [, b]) => b.failures - a.failures || a.goodMs - b.goodMs)[0];
    if (crowd !== null && worst === undefined) return none;
    if (worst !== undefined) this.#found.delete(worst[0]);
    this.#found.set(endpoint, { source, device: null, failures: 0, goodMs: nowMs });
    return { added: true, dropped: worst?.[0] ?? null };
  }

  good(endpoint: string, device: DeviceKey, nowMs: number): void {
    const found = this.#found.get(endpoint);
    if (found !== undefined) Object.assign(found, { device, failures: 0, goodMs: nowMs });
  }

  failed(endpoint: string): void {
    const found = this.#found.get(endpoint);
    if (found !== undefined) found.failures += 1;
  }

  /** Forgets what has been failing for half an hour. */
  expire(nowMs: number): string[] {
    const dead = Array.from(this.#found)
      .filter(([, { failures, goodMs }]) => failures > 0 && nowMs - goodMs > FAILING_MS)
      .map(([endpoint]) => endpoint);
    for (const endpoint of dead) this.#found.delete(endpoint);
    return dead;
  }

  /** Those of which one must leave for another of this source; null = there is room. */
  #crowd(source: string): [string, Found][] | null {
    const own = this.#unproven(source);
    const failing = (from: readonly [string, Found][]) => from.filter(([, { failures }]) => failures > 0);
    if (own.length >= MOST_UNPROVEN) return failing(own);
    if (this.#found.size < MOST) return null;
    const sources = new Set(Array.from(this.#found.values(), (found) => found.source));
    const lists = Array.from(sources, (one) => this.#unproven(one));
    const longest = lists.toSorted((a, b) => b.length - a.length)[0] ?? [];
    return longest.length > own.length + 1 ? longest : failing(lists.flat());
  }

  #unproven(source: string): [string, Found][] {
    return Array.from(this.#found).filter(([, found]) => found.source === source && found.device === null);
  }
}
