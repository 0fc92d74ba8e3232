import type { ErrorCode } from '../base/errors.ts';
import { errorCode } from '../base/errors.ts';

const CODES: readonly ErrorCode[] = ['disk-full', 'disk-error', 'database-damaged'];

/** Our disk fails, not the message: it must be read again later, not be shown as unreadable. */
export function isOwnFault(error: unknown): boolean {
  return CODES.includes(errorCode(error));
}
