import type { RoutedStream } from '../torrent/route.ts';

const MOST_PENDING = 128;
const MOST_PENDING_PER_CALLER = 8;

/** Where streams that others opened wait for admission: few at a time per caller and in all. */
export class PendingStreams {
  readonly #admit: (routed: RoutedStream) => Promise<void>;
  readonly #waiting = new Set<RoutedStream>();
  readonly #perCaller = new Map<string, number>();

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
    const ofCaller = this.#perCaller.get(caller) ?? 0;
    if (this.#waiting.size >= MOST_PENDING || ofCaller >= MOST_PENDING_PER_CALLER) {
      stream.destroy();
      return;
    }
    this.#waiting.add(routed);
    this.#perCaller.set(caller, ofCaller + 1);
    try {
      await this.#admit(routed);
    } catch {
      // Not admitted: the reason was logged, the other end learns nothing.
      stream.destroy();
    } finally {
      this.#waiting.delete(routed);
      const left = (this.#perCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#perCaller.delete(caller);
      else this.#perCaller.set(caller, left);
    }
  }

  destroyAll(): void {
    for (const { stream } of this.#waiting) stream.destroy();
  }
}
