import { AppError } from '../base/errors.ts';

const FULL = ['ENOSPC', 'EDQUOT'];

/** What a file operation of the profile failed with: `disk-full` when room is missing, else `disk-error`. */
export function diskError(message: string, error: unknown): AppError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return new AppError(FULL.includes(String(code)) ? 'disk-full' : 'disk-error', message, { system: code }, error);
}
