import { createORPCClient } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { WebSocket } from 'ws';
import * as z from 'zod';
import type { EngineClient, EngineConnection } from '../../src/cli/connect.ts';

const engineFile = z.object({ url: z.string(), token: z.string() });

/** Connects to the engine of a profile through the socket of an rpc-bridge. */
export async function connectBridged(
  profile: string,
  socketFile: string,
  signal: AbortSignal,
): Promise<EngineConnection> {
  const { url, token } = engineFile.parse(JSON.parse(readFileSync(path.join(profile, 'engine.json'), 'utf8')));
  const target = new URL('/rpc', url);
  target.protocol = 'ws:';
  const socket = new WebSocket(target, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    createConnection: () => connect(socketFile),
  });
  socket.on('error', () => undefined);
  await once(socket, 'open', { signal });
  const client: EngineClient = createORPCClient(new RPCLink({ websocket: portOf(socket) }));
  return { client, origin: url, [Symbol.dispose]: () => socket.terminate() };
}

type Port = ConstructorParameters<typeof RPCLink>[0]['websocket'];

/** The methods the RPC client uses; ws differs from the browser's type in names of events only. */
function portOf(socket: WebSocket): Port {
  return socket as unknown as Port;
}
