import type { RoutedStream } from '../torrent/route.ts';

const MOST_PENDING = 128;
const MOST_PENDING_PER_CALLER = 8;

/** Where streams that others opened wait for admission: few at a time per caller and in all. */
export class PendingStreams {
  readonly #admit: (routed: RoutedStream) => Promise<void>;
  /** Oldest first, with who opened each. */
  readonly #waiting = new Map<RoutedStream, string>();

  /** `admit` settles when the stream is handed over, and fails when it is not admitted. */
  constructor(deps: { admit: (routed: RoutedStream) => Promise<void> }) {
    this.#admit = deps.admit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `caller` is whoever is to be held to few streams: an address, a device. Settles when the waiting is over. */
  async take(routed: RoutedStream, caller: string): Promise<void> {
    const { stream } = routed;
    // A broken connection is told by its 'close'.
    stream.on('error', () => undefined);
    if (this.#of(caller).length >= MOST_PENDING_PER_CALLER) {
      stream.destroy();
      return;
    }
    if (this.#waiting.size >= MOST_PENDING) this.#evict();
    this.#waiting.set(routed, caller);
    try {
      await this.#admit(routed);
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
    return Array.from(this.#waiting).flatMap(([routed, one]) => (one === caller ? [routed] : []));
  }

  /** Strangers who hold all places keep no member out: the oldest one of whoever has most makes room. */
  #evict(): void {
    const groups = Array.from(new Set(this.#waiting.values()), (caller) => this.#of(caller));
    const [oldest] = groups.toSorted((a, b) => b.length - a.length)[0] ?? [];
    if (oldest === undefined) return;
    this.#waiting.delete(oldest);
    oldest.stream.destroy();
  }
}
