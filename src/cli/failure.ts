import { ORPCError } from '@orpc/client';
import * as z from 'zod';
import { AppError, ERROR_CODES, errorCode } from '../base/errors.ts';

/** What scripts see of the end of a command. */
export const EXIT = { done: 0, failed: 1, usage: 2, noEngine: 3, timedOut: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure as it is printed: `code` is one of the product's codes, or `usage` or `no-engine`. */
export class Failure extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.code = code;
    this.exitCode = exitCode;
  }
}

export function usageFailure(message: string): Failure {
  return new Failure('usage', message, EXIT.usage);
}

const remoteSchema = z.object({ code: z.enum(ERROR_CODES), message: z.string() });

/** Turns whatever was thrown into what is printed. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const remote = remoteSchema.safeParse(error instanceof ORPCError ? error.data : undefined);
  const { code, message } = remote.success ? remote.data : localFailure(error);
  return new Failure(code, message, code === 'timed-out' ? EXIT.timedOut : EXIT.failed, error);
}

function localFailure(error: unknown): { code: string; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof AppError) return { code: error.code, message };
  return { code: errorCode(error), message };
}
