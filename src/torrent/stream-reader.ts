import type { Duplex } from 'node:stream';
import { AppError } from '../base/errors.ts';

/**
 * Exactly `length` bytes of a paused stream; what follows them stays in it for the next reader.
 * Fails with `disconnected` when the stream ends first.
 */
export async function readExactly(stream: Duplex, length: number, signal: AbortSignal): Promise<Uint8Array> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off('readable', onReadable);
      stream.off('end', onEnd);
      stream.off('close', onEnd);
      stream.off('error', onError);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onEnd = (): void => settle(() => reject(new AppError('disconnected', 'the peer closed the connection')));
    const onError = (cause: unknown): void =>
      settle(() => reject(new AppError('disconnected', 'the connection broke', {}, cause)));
    const onAbort = (): void => settle(() => reject(signal.reason));
    const onReadable = (): void => {
      const bytes: unknown = stream.read(length);
      if (!(bytes instanceof Uint8Array)) return;
      // At its end a stream gives what is left, however little.
      if (bytes.length < length) onEnd();
      else settle(() => resolve(bytes));
    };
    stream.on('readable', onReadable);
    stream.on('end', onEnd);
    stream.on('close', onEnd);
    stream.on('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    if (stream.destroyed || stream.readableEnded) onEnd();
    else onReadable();
  });
}

/** Waits until the other side, which has nothing more to say, has ended or closed the stream. */
export async function ended(stream: Duplex, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (stream.destroyed || stream.readableEnded) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void): void => {
      for (const end of ['end', 'close', 'error']) stream.off(end, onEnd);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onEnd = (): void => settle(resolve);
    const onAbort = (): void => settle(() => reject(signal.reason));
    for (const end of ['end', 'close', 'error']) stream.on(end, onEnd);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.resume();
  });
}

/** Writes and waits until the stream took the bytes. */
export async function writeAll(stream: Duplex, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onClose = (): void => settle(() => reject(new AppError('disconnected', 'the peer closed the connection')));
    const onAbort = (): void => settle(() => reject(signal.reason));
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.write(bytes, (error) =>
      settle(() => {
        if (error === null || error === undefined) resolve();
        else reject(new AppError('disconnected', 'the connection broke', {}, error));
      }),
    );
  });
}
