import type { Clock } from '../base/clock.ts';

/** With ten thousand items a page needs so long after a start; nobody who fetches from us notices. */
const PAGES_OPEN_MS = 1000;

/** After a start: resolves when whoever opens a page has it. */
export function letPagesOpen(clock: Clock): (signal: AbortSignal) => Promise<void> {
  return (signal) => clock.sleep(PAGES_OPEN_MS, signal);
}
