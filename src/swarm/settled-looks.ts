import type { Path } from '../contract/swarm.ts';
import { rankOf } from '../torrent/route.ts';
import { SETTLED_MS } from '../torrent/satisfied.ts';

const TICK_MS = 1_000;
/** A connection comes somewhere between two ticks, and a moment later at the other end. */
const AFTER_TICKS = SETTLED_MS / TICK_MS + 2;

/**
 * When connections over a path that is not the best are settled, and what is known by then of better ones is to be
 * called. However many come and go within a second, they are one look.
 */
export class SettledLooks {
  readonly #due = new Set<number>();
  #ticks = 0;

  /** For how many seconds a look is planned. */
  get planned(): number {
    return this.#due.size;
  }

  connected(path: Path): void {
    if (rankOf(path) > 0) this.#due.add(this.#ticks + AFTER_TICKS);
  }

  /** Once a second; whether it is time to look. */
  tick(): boolean {
    this.#ticks += 1;
    return this.#due.delete(this.#ticks);
  }
}
