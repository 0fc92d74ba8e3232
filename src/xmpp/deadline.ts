import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';

/** What is waited for so often behind other things is not coming. */
const MOST_TURNS = 4;
/** Behind so much an answer is late on a slow line, and not missing. */
const BUSY_BYTES = 8192;

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

/** The connection over which something is asked. */
export interface Line {
  /** How many bytes came in over it so far: on a slow line an answer stands behind them. */
  readonly heard: number;
  /** How much later than on a good line an answer may come, for the question stands behind what was written before. */
  readonly lateMs: number;
}

export interface Patience {
  readonly ms: number;
  readonly line: Line;
  /** So many of them mean that what is waited for stands behind them. */
  readonly enough?: number;
  /** How often it is waited for at most. */
  readonly turns?: number;
}

/** As `withDeadline`; where much comes meanwhile over the line the work is waited for anew, a few times. */
export async function withPatience<T>(
  clock: Clock,
  { ms, line, enough = BUSY_BYTES, turns = MOST_TURNS }: Patience,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const end = new AbortController();
  const working = work(end.signal);
  // Looked at in the turns.
  working.catch(() => undefined);
  try {
    for (let turn = 1; ; turn += 1) {
      const before = line.heard;
      try {
        return await withDeadline(clock, ms + line.lateMs, signal, () => working);
      } catch (error) {
        if (errorCode(error) !== 'timed-out' || turn === turns || line.heard - before < enough) throw error;
      }
    }
  } catch (error) {
    end.abort(error);
    throw error;
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
