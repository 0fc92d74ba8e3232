import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { listenOnAll } from './listen.ts';

const MOST_PENDING = 128;
const MOST_PENDING_PER_ADDRESS = 8;
const KEEP_ALIVE_MS = 30_000;

export interface DataListenerDeps {
  readonly addresses: readonly string[];
  readonly preferredPort: number;
  /** Runs admission; settles when the stream is admitted and handed over, or refused. */
  readonly onStream: (socket: Socket) => Promise<void>;
}

/** The port strangers meet: every stream waits here for admission, few at a time per address and in all. */
export class DataListener implements Disposable {
  readonly port: number;
  readonly #servers: readonly Server[];
  readonly #pending: PendingStreams;

  private constructor(port: number, servers: readonly Server[], pending: PendingStreams) {
    this.port = port;
    this.#servers = servers;
    this.#pending = pending;
  }

  static async open(deps: DataListenerDeps): Promise<DataListener> {
    const pending = new PendingStreams(deps.onStream);
    const create = (): Server => {
      const server = createServer({
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      });
      server.on('connection', (socket) => pending.take(socket));
      return server;
    };
    const { servers, port } = await listenOnAll(create, deps.addresses, deps.preferredPort);
    // Out of descriptors: the listener stays, the caller tries again.
    for (const server of servers) server.on('error', () => undefined);
    return new DataListener(port, servers, pending);
  }

  /** Streams that are not admitted yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Admitted streams live on; they belong to their torrents. */
  [Symbol.dispose](): void {
    this.#pending.destroyAll();
    for (const server of this.#servers) server.close();
  }
}

class PendingStreams {
  readonly #onStream: (socket: Socket) => Promise<void>;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();

  constructor(onStream: (socket: Socket) => Promise<void>) {
    this.#onStream = onStream;
  }

  get size(): number {
    return this.#sockets.size;
  }

  take(socket: Socket): void {
    // A broken connection is told by its 'close'.
    socket.on('error', () => undefined);
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (this.#sockets.size >= MOST_PENDING || ofAddress >= MOST_PENDING_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#perAddress.set(address, ofAddress + 1);
    const settled = (): void => {
      this.#sockets.delete(socket);
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    };
    this.#onStream(socket).then(settled, () => {
      // Not admitted: the reason was logged, the other end learns nothing.
      socket.destroy();
      settled();
    });
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
