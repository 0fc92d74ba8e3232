import { createORPCClient } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import type { ContractRouterClient } from '@orpc/contract';
import { WebSocket } from 'ws';
import { AppError } from '../base/errors.ts';
import type { AppContract } from '../contract/app.ts';
import type { Profile } from '../engine/profile.ts';
import { readEngineFile } from '../engine/profile.ts';
import { EXIT, Failure } from './failure.ts';

export type EngineClient = ContractRouterClient<AppContract>;

/** The running engine of a profile; disposing it closes the connection. */
export interface EngineConnection extends Disposable {
  readonly client: EngineClient;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
}

/** Connects to the engine that runs for the profile; exit code 3 when none does. */
export async function connectEngine(profile: Profile, signal: AbortSignal): Promise<EngineConnection> {
  const engine = readEngineFile(profile);
  if (engine === undefined) throw noEngine();
  const url = new URL('/rpc', engine.url);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${engine.token}` }, perMessageDeflate: false });
  try {
    await opened(socket, signal);
  } catch (error) {
    socket.terminate();
    throw error;
  }
  const client: EngineClient = createORPCClient(
    new RPCLink({
      websocket: portOf(socket),
      interceptors: [
        async ({ next }) => {
          try {
            return await next();
          } catch (error) {
            if (socket.readyState === WebSocket.OPEN) throw error;
            throw new AppError('disconnected', 'the engine ended before it answered', {}, error);
          }
        },
      ],
    }),
  );
  // Until the connection ends, which is how it is told that nobody looks any more.
  client.system.looking().catch(() => undefined);
  return { client, origin: engine.url, [Symbol.dispose]: () => socket.terminate() };
}

function noEngine(cause?: unknown): Failure {
  return new Failure(
    'no-engine',
    'no engine runs for this profile; start one with "spherecast serve"',
    EXIT.noEngine,
    cause,
  );
}

async function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    socket.once('open', () => resolve());
    socket.on('error', (error) => reject(noEngine(error)));
    socket.once('close', (code) => reject(noEngine(`closed with ${code}`)));
  });
}

type Port = ConstructorParameters<typeof RPCLink>[0]['websocket'];

/** The methods the RPC client uses; ws differs from the browser's type in names of events only. */
function portOf(socket: WebSocket): Port {
  return socket as unknown as Port;
}
