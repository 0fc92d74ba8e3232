import type { ErrorCode } from '../base/errors.ts';
import type { MessageRow } from '../storage/message-table.ts';

const REFUSALS: readonly ErrorCode[] = ['not-a-member', 'not-allowed'];

/** Whether a line of ours is told not to count. */
export function isTakenBack({ state, failure }: MessageRow): boolean {
  return state === 'failed' && failure !== null && REFUSALS.includes(failure);
}
