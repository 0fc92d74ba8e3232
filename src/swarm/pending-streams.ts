import type { Clock } from '../base/clock.ts';
import type { RoutedStream } from '../torrent/route.ts';

const MOST_PENDING = 128;
const MOST_PENDING_PER_CALLER = 8;
/** Who means it is admitted sooner. Were no time given, many honest calls at once would end one another. */
const PATIENCE_MS = 1_000;

/**
 * Settles when the stream is handed over or done with, and fails when it is not admitted; `onAdmitted` is called when
 * it was admitted and goes on being used.
 */
export type Admit = (routed: RoutedStream, onAdmitted: () => void) => Promise<void>;

interface Waiting {
  /** Who opened it. */
  readonly caller: string;
  /** Monotonic. */
  readonly sinceMs: number;
  isAdmitted: boolean;
}

/** Where streams that others opened wait for admission: few at a time per caller and in all. */
export class PendingStreams {
  readonly #deps: { readonly clock: Clock; readonly admit: Admit };
  /** Oldest first. */
  readonly #waiting = new Map<RoutedStream, Waiting>();

  constructor(deps: { clock: Clock; admit: Admit }) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `caller` is whoever is to be held to few streams: an address, a device. Settles when the waiting is over. */
  async take(routed: RoutedStream, caller: string): Promise<void> {
    const { stream } = routed;
    // A broken connection is told by its 'close'.
    stream.on('error', () => undefined);
    const own = this.#of(caller);
    if (own.length >= MOST_PENDING_PER_CALLER && !this.#evictSilent(own)) {
      stream.destroy();
      return;
    }
    if (this.#waiting.size >= MOST_PENDING) this.#evict();
    const waiting: Waiting = { caller, sinceMs: this.#deps.clock.monotonic(), isAdmitted: false };
    this.#waiting.set(routed, waiting);
    try {
      await this.#deps.admit(routed, () => {
        waiting.isAdmitted = true;
      });
    } catch {
      // Not admitted: the reason was logged, the other end learns nothing.
      stream.destroy();
    } finally {
      this.#waiting.delete(routed);
    }
  }

  destroyAll(): void {
    for (const { stream } of this.#waiting.keys()) stream.destroy();
  }

  #of(caller: string): RoutedStream[] {
    return Array.from(this.#waiting).flatMap(([routed, one]) => (one.caller === caller ? [routed] : []));
  }

  /** Behind one address may be a neighbour who holds all its places and says nothing: the oldest of these makes room. */
  #evictSilent(own: readonly RoutedStream[]): boolean {
    const sinceMs = this.#deps.clock.monotonic() - PATIENCE_MS;
    const silent = own.find((routed) => {
      const waiting = this.#waiting.get(routed);
      return waiting !== undefined && !waiting.isAdmitted && waiting.sinceMs <= sinceMs;
    });
    if (silent !== undefined) this.#end(silent);
    return silent !== undefined;
  }

  /** Strangers who hold all places keep no member out: the oldest one of whoever has most makes room. */
  #evict(): void {
    const callers = new Set(Array.from(this.#waiting.values(), ({ caller }) => caller));
    const groups = Array.from(callers, (caller) => this.#of(caller));
    const [oldest] = groups.toSorted((a, b) => b.length - a.length)[0] ?? [];
    if (oldest !== undefined) this.#end(oldest);
  }

  #end(routed: RoutedStream): void {
    this.#waiting.delete(routed);
    routed.stream.destroy();
  }
}
