import { createORPCClient, ORPCError } from '@orpc/client';
import { RPCLink } from '@orpc/client/message-port';
import type { AnyContractRouter, ContractRouterClient } from '@orpc/contract';
import type { AnyRouter } from '@orpc/server';
import { RPCHandler } from '@orpc/server/message-port';
import * as z from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, ERROR_CODES, errorCode } from '../base/errors.ts';

/** Two ends that pass structured clones, in order, until one of them goes away. */
export interface Channel {
  /** Dropped silently once the other end is gone: `onClose` is what tells. */
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once; at once when the channel is closed already. */
  onClose(listener: () => void): void;
}

/** Either end of `child_process.fork` with `serialization: 'advanced'`: the child as seen by its parent, or `process`. */
export interface ProcessEnd {
  readonly connected: boolean;
  readonly send?: (
    message: string | object,
    handle: undefined,
    options: undefined,
    callback: (error: Error | null) => void,
  ) => boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

export function processChannel(end: ProcessEnd): Channel {
  return {
    post(message) {
      if (!end.connected || (typeof message !== 'string' && !isRecord(message))) return;
      // The callback takes the error of a channel that closes meanwhile; without it the process would end.
      end.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage: (listener) => void end.on('message', listener),
    onClose(listener) {
      if (end.connected) end.on('disconnect', listener);
      else listener();
    },
  };
}

/**
 * A typed client of the router served at the other end. Failures arrive as `AppError`; calls pending when
 * the channel closes, and all later ones, fail with `closedCode`.
 */
export function connectChannel<Contract extends AnyContractRouter>(
  channel: Channel,
  closedCode: ErrorCode = 'swarm-unavailable',
): ContractRouterClient<Contract> {
  let closed = false;
  channel.onClose(() => {
    closed = true;
  });
  const toAppError = (error: unknown): AppError =>
    closed ? new AppError(closedCode, 'the other process has ended', {}, error) : receivedError(error);
  const link = new RPCLink({
    port: portOf(channel),
    experimental_transfer: transferred,
    interceptors: [
      async ({ next }) => {
        if (closed) throw new AppError(closedCode, 'the other process has ended');
        return mapFailures(next, toAppError);
      },
    ],
  });
  return createORPCClient<ContractRouterClient<Contract>>(link);
}

/** Answers the calls that arrive on the channel; a call's signal aborts when the channel closes. */
export function serveChannel(router: AnyRouter, channel: Channel): void {
  const handler = new RPCHandler(router, {
    experimental_transfer: transferred,
    clientInterceptors: [async ({ next }) => mapFailures(next, sentError)],
  });
  handler.upgrade(portOf(channel));
}

/** The shape of a port that the RPC package's adapters listen to. */
function portOf(channel: Channel): {
  postMessage(message: unknown): void;
  on(event: string, callback: (event?: { data: unknown }) => void): void;
} {
  return {
    postMessage: (message) => channel.post(message),
    on(event, callback) {
      if (event === 'message') channel.onMessage((data) => callback({ data }));
      else channel.onClose(() => callback());
    },
  };
}

/** An empty list makes the adapter post the message as it is, so that bytes stay bytes. */
function transferred(message: readonly unknown[]): object[] | null {
  const payload = message[2];
  // The announcement of an iterator holds the iterator itself, which only the text form leaves out.
  const announces = isRecord(payload) && isIterator(payload['body']);
  return announces ? null : [];
}

async function mapFailures<T>(call: () => Promise<T>, map: (error: unknown) => Error): Promise<T> {
  let output: T;
  try {
    output = await call();
  } catch (error) {
    throw map(error);
  }
  if (isIterator(output)) guardIterator(output, map);
  return output;
}

/** Replaces `next` in place: a copy would lose the iterator's other members. */
function guardIterator(iterator: AsyncIterator<unknown>, map: (error: unknown) => Error): void {
  const next = iterator.next.bind(iterator);
  iterator.next = async () => {
    try {
      return await next();
    } catch (error) {
      throw map(error);
    }
  };
}

const failureSchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});

function sentError(error: unknown): Error {
  if (error instanceof ORPCError && error.code === 'BAD_REQUEST') {
    return failure({ code: 'bad-input', message: error.message, details: {} }, error);
  }
  const details = error instanceof AppError ? error.details : {};
  const message = error instanceof Error ? error.message : 'unknown failure';
  return failure({ code: errorCode(error), message, details }, error);
}

function failure(data: z.infer<typeof failureSchema>, cause: unknown): Error {
  return new ORPCError('INTERNAL_SERVER_ERROR', { message: data.message, data, cause });
}

function receivedError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const parsed = failureSchema.safeParse(error instanceof ORPCError ? error.data : undefined);
  if (parsed.success) return new AppError(parsed.data.code, parsed.data.message, parsed.data.details, error);
  const message = error instanceof Error ? error.message : 'unknown failure';
  return new AppError(errorCode(error), message, {}, error);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isIterator(value: unknown): value is AsyncIterator<unknown> {
  return isRecord(value) && typeof value['next'] === 'function' && Symbol.asyncIterator in value;
}
