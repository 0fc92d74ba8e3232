import { ORPCError } from '@orpc/server';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What crosses the wire for a failure: our code and a sentence, no stack. Unexpected ones are logged and hidden. */
export function toRpcError(error: unknown, log: Logger): ORPCError<ErrorCode, Failure> {
  if (error instanceof AppError) return rpcError(error.code, error.message, error, error.details);
  if (error instanceof ORPCError && error.code === 'BAD_REQUEST') {
    return rpcError('bad-input', 'the request has a field that is missing or malformed', error);
  }
  const code = errorCode(error);
  if (code === 'internal') log.error('call failed', { error });
  return rpcError(
    code,
    code === 'cancelled' ? 'the call was cancelled' : 'the engine met an unexpected failure',
    error,
  );
}

function rpcError(
  code: ErrorCode,
  message: string,
  cause: unknown,
  details: Readonly<Record<string, unknown>> = {},
): ORPCError<ErrorCode, Failure> {
  // A status is demanded by the library; only the code means something to our clients.
  return new ORPCError(code, {
    status: code === 'internal' ? 500 : 400,
    message,
    data: { code, message, details },
    cause,
  });
}
