import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encode } from '../../../src/torrent/bencode/bencode.ts';

/** A tracker on loopback that names one peer to everybody who asks. */
export class NamedTracker implements Disposable {
  /** Port of the peer on 127.0.0.1. */
  port = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<NamedTracker> {
    const server = createServer((_request, response) => {
      const peers = Uint8Array.of(127, 0, 0, 1, tracker.port >> 8, tracker.port & 0xff);
      response.end(encode({ interval: 1800, peers: tracker.port === 0 ? new Uint8Array() : peers }));
    });
    const tracker = new NamedTracker(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return tracker;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/announce`;
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
