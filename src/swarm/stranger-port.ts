import type { Server } from 'node:net';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { formatEndpoint } from '../torrent/endpoint.ts';
import { pathOf } from '../torrent/route.ts';
import { hearsRouter } from './candidates.ts';
import { listenOnAll } from './listen.ts';
import { PendingStreams } from './pending-streams.ts';
import type { PortMapping, RouterPort } from './port-mapping.ts';

export interface StrangerPortDeps {
  readonly clock: Clock;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  /** null = no router is asked for anything. */
  readonly portMapping: PortMapping | null;
  /** 0 or left out = any. */
  readonly preferredPort?: number;
  /** What the router says of the port. */
  readonly onRouter?: (state: RouterPort) => void;
  /** Settles when the stream has gone where it belongs, and fails when it belongs nowhere. */
  readonly onStream: (stream: Duplex, address: string, host: string) => Promise<void>;
}

/** A port for strangers, open only as long as there is something for them. */
export class StrangerPort implements AsyncDisposable {
  readonly port: number;
  readonly #servers: readonly Server[];
  readonly #pending: PendingStreams;
  readonly #kept: readonly AsyncDisposable[];

  private constructor(deps: StrangerPortDeps, port: number, servers: readonly Server[], pending: PendingStreams) {
    this.port = port;
    this.#servers = servers;
    this.#pending = pending;
    const { portMapping, addresses } = deps;
    const nothing = (): void => undefined;
    const isAsked = portMapping !== null && hearsRouter(addresses);
    const onRouter = deps.onRouter ?? nothing;
    this.#kept = isAsked ? [portMapping.keep(port, onRouter), portMapping.keepPinholes(port, nothing)] : [];
  }

  static async open(deps: StrangerPortDeps): Promise<StrangerPort> {
    const pending = new PendingStreams({
      clock: deps.clock,
      admit: ({ stream, route }) => deps.onStream(stream, route.address, hostOf(route.address)),
    });
    const create = (): Server => {
      const server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true });
      server.on('connection', (socket) => {
        const host = socket.remoteAddress ?? '';
        const address = formatEndpoint(host, socket.remotePort ?? 0);
        void pending.take({ stream: socket, route: { path: pathOf(address), address }, device: null }, host);
      });
      return server;
    };
    const { servers, port } = await listenOnAll(create, deps.addresses, deps.preferredPort ?? 0);
    // Out of descriptors: the listener stays, the caller tries again.
    for (const server of servers) server.on('error', () => undefined);
    return new StrangerPort(deps, port, servers, pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#pending.destroyAll();
    await Promise.all(this.#kept.map((kept) => kept[Symbol.asyncDispose]()));
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}
