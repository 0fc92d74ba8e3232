/** Every expected failure of the product; the UI translates the code and never shows the message. */
export const ERROR_CODES = [
  'bad-input',
  'not-found',
  'conflict',
  'cancelled',
  'timed-out',
  'internal',
  'disconnected',
  'no-account',
  'account-exists',
  'wrong-password',
  'server-unreachable',
  'bad-certificate',
  'tls-required',
  'server-lacks-rooms',
  'server-lacks-pep',
  'room-refused',
  'registration-refused',
  'registration-limited',
  'registration-elsewhere',
  'registration-asks-more',
  'invitation-invalid',
  'name-taken',
  'name-invalid',
  'not-a-member',
  'not-allowed',
  'cannot-encrypt',
  'not-vouched',
  'encryption-unsafe',
  'forged',
  'too-large',
  'disk-full',
  'disk-error',
  'file-changed',
  'file-missing',
  'not-complete',
  'not-plain',
  'path-outside',
  'invalid-torrent',
  'torrent-version-2',
  'strangers-see',
  'swarm-unavailable',
  'transfer-unsafe',
  'profile-in-use',
  'database-newer',
  'database-damaged',
  'secrets-unavailable',
  'cannot-decrypt',
  'kit-invalid',
  'answers-wait',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** An expected failure. `details` holds what a log or a translation needs, never secrets or message text. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}

/** The code of an expected failure, `internal` for anything else. */
export function errorCode(error: unknown): ErrorCode {
  if (error instanceof AppError) return error.code;
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  return 'internal';
}
