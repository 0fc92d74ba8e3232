import { RecentMap } from '../base/recent-map.ts';
import { isLately } from './call-pace.ts';
import type { Due } from './due-call.ts';
import { byPromise } from './due-call.ts';

const MOST_REMEMBERED = 1_024;

/** Hands the places out in turn: who names ever more addresses keeps nobody else's from being called. */
export class CallTurns {
  /** When each origin was last called, monotonic. */
  readonly #calledMs = new RecentMap<string, number>(MOST_REMEMBERED);

  /**
   * Starts a call of each origin, then a second of each, and so on; `start` tells whether it did. Where a member was met
   * lately goes first, then who waited longest.
   */
  take(due: readonly Due[], nowMs: number, start: (call: Due) => boolean): void {
    const origins = Array.from(Map.groupBy(due.toSorted(byPromise), ({ origin }) => origin));
    let waiting = origins
      .map(([origin, calls]) => ({
        origin,
        calls: calls.values(),
        isMet: calls.some(({ known }) => isLately(known.goodMs, nowMs)),
        calledMs: this.#calledMs.get(origin) ?? -1,
      }))
      .toSorted((a, b) => Number(b.isMet) - Number(a.isMet) || a.calledMs - b.calledMs);
    while (waiting.length > 0) {
      waiting = waiting.filter(({ origin, calls }) => {
        const isStarted = startNext(calls, start);
        if (isStarted) this.#calledMs.set(origin, nowMs);
        return isStarted;
      });
    }
  }

  /** All begin anew: the most promising goes first. */
  forget(): void {
    this.#calledMs.clear();
  }
}

/** Whether one of them could be started. */
function startNext(calls: Iterator<Due>, start: (call: Due) => boolean): boolean {
  for (let next = calls.next(); next.done !== true; next = calls.next()) if (start(next.value)) return true;
  return false;
}
