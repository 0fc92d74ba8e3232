import type { ErrorCode } from '../base/errors.ts';
import { AppError } from '../base/errors.ts';

/** System error codes that mean more to a person than "the disk failed". */
const MEANINGS: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'file-missing',
  ENOTDIR: 'file-missing',
  ENODEV: 'file-missing',
  ENXIO: 'file-missing',
  ESTALE: 'file-missing',
  EACCES: 'file-missing',
  EPERM: 'file-missing',
  // O_NOFOLLOW met a link.
  ELOOP: 'path-outside',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  // A FAT disk holds no file above 4 GiB.
  EFBIG: 'too-large',
};

/** The system's own code ("ENOENT"), when it is a system error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Turns what a file operation threw into an expected failure; an AppError or an abort stays what it is. */
export function fileError(
  error: unknown,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): AppError | Error {
  if (error instanceof AppError || (error instanceof Error && error.name === 'AbortError')) return error;
  const code = systemCode(error) ?? 'unknown';
  return new AppError(MEANINGS[code] ?? 'disk-error', message, { ...details, system: code }, error);
}
