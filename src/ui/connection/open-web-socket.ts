import { createORPCClient } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import { AppError } from '../../base/errors.ts';
import type { EngineClient, Transport } from './engine-client.ts';

/** Close code of a socket that the engine opened only to say that this page has no session. */
const NOT_SIGNED_IN = 4401;

/** Opens the engine's WebSocket on the page's own host. */
export async function openWebSocket(signal: AbortSignal): Promise<Transport> {
  const url = new URL('/rpc', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const closed = new Promise<AppError>((resolve) => {
    socket.addEventListener('close', (event) => resolve(closeReason(event.code)), { once: true });
  });
  await opened(socket, signal);
  const client: EngineClient = createORPCClient(new RPCLink({ websocket: quiet(socket) }));
  return { client, closed, close: () => socket.close() };
}

/** The link still says goodbye on a line that is gone, and nobody is there to catch the error. */
function quiet(socket: WebSocket): Pick<WebSocket, 'addEventListener' | 'removeEventListener' | 'send' | 'readyState'> {
  return {
    addEventListener: socket.addEventListener.bind(socket),
    removeEventListener: socket.removeEventListener.bind(socket),
    readyState: WebSocket.OPEN,
    send(data) {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
  };
}

function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.close();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => signal.removeEventListener('abort', onAbort);
    socket.addEventListener(
      'open',
      () => {
        settled();
        resolve();
      },
      { once: true },
    );
    socket.addEventListener(
      'close',
      (event) => {
        settled();
        void refusal(event.code, signal).then(reject, reject);
      },
      { once: true },
    );
  });
}

function closeReason(code: number): AppError {
  return code === NOT_SIGNED_IN
    ? new AppError('not-allowed', 'the engine does not know this page')
    : new AppError('disconnected', 'the engine closed the line', { code });
}

/** A browser hides the status of a refused upgrade, so a plain request tells refusal from absence. */
async function refusal(closeCode: number, signal: AbortSignal): Promise<AppError> {
  try {
    const answer = await fetch('/', { cache: 'no-store', signal });
    if (answer.status === 401 || answer.status === 403) return closeReason(NOT_SIGNED_IN);
  } catch (error) {
    return new AppError('disconnected', 'the engine does not answer', {}, error);
  }
  return closeReason(closeCode);
}
