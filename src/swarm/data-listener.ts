import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { householdOf } from '../base/ip-address.ts';
import type { PortRefusal } from './listen.ts';
import { listenOnAll, listenOnOne } from './listen.ts';
import type { PendingStreams } from './pending-streams.ts';
import { formatEndpoint } from '../torrent/endpoint.ts';
import { pathOf } from '../torrent/route.ts';

const KEEP_ALIVE_MS = 30_000;

export interface DataListenerDeps {
  readonly addresses: readonly string[];
  readonly preferredPort: number;
  /** Also listened on as far as the system allows. */
  readonly extraPorts: readonly number[];
  readonly pending: PendingStreams;
}

/** The ports strangers meet: every stream goes where streams wait for admission. */
export class DataListener implements Disposable {
  readonly port: number;
  /** Each extra port, and why it is not listened on; null = it is. */
  readonly extraPorts: readonly PortRefusal[];
  readonly #servers: readonly Server[];

  private constructor(port: number, extraPorts: readonly PortRefusal[], servers: readonly Server[]) {
    this.port = port;
    this.extraPorts = extraPorts;
    this.#servers = servers;
  }

  static async open({ addresses, preferredPort, extraPorts, pending }: DataListenerDeps): Promise<DataListener> {
    const create = (): Server => {
      const server = createServer({
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      });
      server.on('connection', (socket) => take(socket, pending));
      return server;
    };
    const { servers, port } = await listenOnAll(create, addresses, preferredPort);
    const extra: PortRefusal[] = [];
    for (const wanted of new Set(extraPorts)) {
      if (wanted === port) continue;
      const opened = await listenOnOne(create, addresses, wanted);
      servers.push(...opened.servers);
      extra.push({ port: wanted, failure: opened.failure });
    }
    // Out of descriptors: the listener stays, the caller tries again.
    for (const server of servers) server.on('error', () => undefined);
    return new DataListener(port, extra, servers);
  }

  /** Admitted streams live on; they belong to their torrents. */
  [Symbol.dispose](): void {
    for (const server of this.#servers) server.close();
  }
}

function take(socket: Socket, pending: PendingStreams): void {
  const host = socket.remoteAddress ?? '';
  const address = formatEndpoint(host, socket.remotePort ?? 0);
  void pending.take({ stream: socket, route: { path: pathOf(address), address }, device: null }, householdOf(host));
}
