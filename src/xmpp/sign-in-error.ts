// RFC 6120: XMPP Core, §6.5
import { AppError, type ErrorCode } from '../base/errors.ts';

const REFUSED = new Set([
  'not-authorized',
  'account-disabled',
  'credentials-expired',
  'invalid-authzid',
  'malformed-request',
  'mechanism-too-weak',
  'encryption-required',
]);

/** What a failed attempt to sign in means for the user. */
export function signInError(error: unknown): AppError {
  if (error instanceof AppError) {
    return error.code === 'timed-out'
      ? new AppError('server-unreachable', 'the server does not answer', error.details, error)
      : error;
  }
  const condition = error instanceof Error && 'condition' in error ? String(error.condition) : 'none';
  const isSasl = error instanceof Error && error.name === 'SASLError';
  const code: ErrorCode = isSasl && REFUSED.has(condition) ? 'wrong-password' : 'server-unreachable';
  return new AppError(code, 'signing in failed', { condition: condition.slice(0, 100) }, error);
}
