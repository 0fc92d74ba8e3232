import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

/** Without a reason of our own each time an error would be made, with its stack. */
const OVER = new Error('the work has ended');

/**
 * Runs `work` with a signal that aborts after `ms` or with `signal`, and does not wait for work that
 * ignores it. Rejects with `timed-out` when the time is up.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const late = new AppError('timed-out', 'no answer in time', { ms });
  const end = new AbortController();
  const stop = (): void => end.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const timer = new AbortController();
  void clock.sleep(ms, timer.signal).then(
    () => end.abort(late),
    // The timer was cancelled because the work has ended.
    () => undefined,
  );
  try {
    return await Promise.race([work(end.signal), rejection(end.signal)]);
  } finally {
    signal?.removeEventListener('abort', stop);
    timer.abort(OVER);
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
