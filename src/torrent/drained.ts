import type { Duplex } from 'node:stream';

/** Resolves when the stream takes bytes again, or has closed; rejects with the reason of the signal. */
export function drained(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off('drain', onDrain);
      stream.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onDrain = (): void => settle(resolve);
    const onClose = (): void => settle(resolve);
    const onAbort = (): void => settle(() => reject(signal.reason));
    stream.on('drain', onDrain);
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (!stream.writableNeedDrain) onDrain();
  });
}
