import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import { AppError } from '../base/errors.ts';
import type { Endpoint } from './endpoint.ts';

const KEEP_ALIVE_MS = 30_000;

/** Opens a stream to an address, from one of our `addresses` where there is just one. Fails with `disconnected`. */
export function connectTcp(to: Endpoint, addresses: readonly string[], signal: AbortSignal): Promise<Socket> {
  const localAddress = ownAddress(addresses, isIP(to.host));
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...to,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (cause) => reject(new AppError('disconnected', 'nothing answers there', {}, cause)));
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
  });
}

/** The address of ours that connections of this family leave from: the one that was listened on, if it is one. */
export function ownAddress(addresses: readonly string[], family: number): string | undefined {
  const own = addresses.filter((address) => isIP(address) === family && address !== '::' && address !== '0.0.0.0');
  return own.length === 1 ? own[0] : undefined;
}
