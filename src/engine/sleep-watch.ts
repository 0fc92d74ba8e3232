import type { Clock } from '../base/clock.ts';

const STEP_MS = 5000;
/** A busy computer is late by less than this. */
const TOLERANCE_MS = 10_000;

/**
 * Calls `onWake` when the computer has slept, or somebody has set its clock: connections may be dead without a word,
 * and timers have not counted the time. One kind of clock stands still during sleep on some systems, so both are read.
 */
export async function watchForSleep(clock: Clock, onWake: () => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    const before = { wallMs: clock.now(), monotonicMs: clock.monotonic() };
    await clock.sleep(STEP_MS, signal);
    const wallMs = clock.now() - before.wallMs;
    const monotonicMs = clock.monotonic() - before.monotonicMs;
    const isLate = Math.max(wallMs, monotonicMs) - STEP_MS > TOLERANCE_MS;
    if (isLate || wallMs < monotonicMs - TOLERANCE_MS) onWake();
  }
}
