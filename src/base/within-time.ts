import type { Clock } from './clock.ts';
import { AppError } from './errors.ts';

/** Runs `work` with a signal that aborts with `timed-out` after `ms`; the work must heed it. */
export async function withinTime<T>(
  limit: { clock: Clock; ms: number },
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = new AbortController();
  const timer = limit.clock.sleep(limit.ms, done.signal).then(
    () => late.abort(new AppError('timed-out', 'took too long', { ms: limit.ms })),
    // The work ended in time and stopped the clock.
    () => undefined,
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    done.abort();
    await timer;
  }
}
