import { AppError, ERROR_CODES, errorCode, type ErrorCode } from '../base/errors.ts';

const known = new Set<string>(ERROR_CODES);
const isCode = (value: unknown): value is ErrorCode => typeof value === 'string' && known.has(value);

/** The codes that the RPC layer itself gives, in our words. */
const RPC_CODES: Readonly<Record<string, ErrorCode>> = {
  BAD_REQUEST: 'bad-input',
  UNPROCESSABLE_CONTENT: 'bad-input',
  NOT_FOUND: 'not-found',
  CONFLICT: 'conflict',
  TIMEOUT: 'timed-out',
  GATEWAY_TIMEOUT: 'timed-out',
  CLIENT_CLOSED_REQUEST: 'cancelled',
  PAYLOAD_TOO_LARGE: 'too-large',
  UNAUTHORIZED: 'not-allowed',
  FORBIDDEN: 'not-allowed',
};

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Whatever a call rejected with, as an expected failure with one of our codes. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const data = property(error, 'data');
  const outer = property(error, 'code');
  const inner = property(data, 'code');
  if (isCode(inner)) return new AppError(inner, message, details(data), error);
  if (isCode(outer)) return new AppError(outer, message, details(data), error);
  if (typeof outer === 'string' && outer in RPC_CODES) {
    return new AppError(RPC_CODES[outer] ?? 'internal', message, {}, error);
  }
  return new AppError(errorCode(error), message, {}, error);
}

function details(data: unknown): Record<string, unknown> {
  const found = property(data, 'details');
  return typeof found === 'object' && found !== null ? { ...found } : {};
}
