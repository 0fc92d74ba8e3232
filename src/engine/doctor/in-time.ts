import type { Clock } from '../../base/clock.ts';
import { errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { withinTime } from '../../base/within-time.ts';

/** Who waits for the report should not wait for what is silent. */
const ANSWER_MS = 5_000;

/** Undefined when there was no answer in time, or none that helps. */
export async function inTime<T>(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
  question: (limited: AbortSignal) => Promise<T>,
  ms = ANSWER_MS,
): Promise<T | undefined> {
  try {
    return await withinTime({ clock, ms }, signal, question);
  } catch (error) {
    signal.throwIfAborted();
    log.info('something did not answer the check', { code: errorCode(error) });
    return undefined;
  }
}
