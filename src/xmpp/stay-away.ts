import { backoffDelay } from '../base/backoff.ts';
import type { RefusalReason } from './room-types.ts';
import { STATUS } from './xep/0045-muc.ts';

export const RETRY = { baseMs: 2000, maxMs: 120_000 };
/** A room that says no rarely changes its mind soon; news of it end the wait. */
export const RETRY_REFUSED = { baseMs: 30_000, maxMs: 30 * 60_000 };

/** How long to stay away from a room that put us out. */
export class StayAway {
  /** In a row: whoever is thrown out at once every time comes back ever more slowly. */
  #kicks = 0;

  /** In milliseconds, after `stayedMs` in the room; whoever is refused has nothing to try at once. */
  waitMs(
    reason: RefusalReason | undefined,
    codes: ReadonlySet<number>,
    stayedMs: number,
    random: () => number,
  ): number {
    if (reason !== undefined) return backoffDelay(0, RETRY_REFUSED, random);
    if (!codes.has(STATUS.kicked) || codes.has(STATUS.fault)) return 0;
    this.#kicks = stayedMs > RETRY.maxMs ? 0 : this.#kicks + 1;
    return backoffDelay(this.#kicks, RETRY, random);
  }
}
