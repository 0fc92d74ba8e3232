import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AnyRouter } from '@orpc/server';
import { RPCHandler } from '@orpc/server/ws';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Scope } from '../base/scope.ts';
import { toRpcError } from './rpc-error.ts';

const MAX_FRAME_BYTES = 1024 * 1024;
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
const MAX_CLIENTS = 64;
const PING_MS = 30_000;

/** Tells a page that its session is over; browsers hide the status of a refused upgrade. */
const UNAUTHORISED = 4401;
const TRY_LATER = 1013;
const GOING_AWAY = 1001;

/** Serves the contract to WebSocket clients and drops those that do not keep up. */
export class RpcSocket implements Disposable {
  readonly #sockets: WebSocketServer;
  readonly #handler: RPCHandler<Record<never, never>>;
  readonly #log: Logger;

  constructor(deps: { router: AnyRouter; clock: Clock; scope: Scope; log: Logger }) {
    this.#log = deps.log;
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
    this.#handler = new RPCHandler(deps.router, {
      clientInterceptors: [
        async ({ next }) => {
          try {
            return asItIs(await next());
          } catch (error) {
            throw toRpcError(error, deps.log);
          }
        },
      ],
    });
    deps.scope.spawn('rpc pings', async (signal) => {
      while (!signal.aborted) {
        await deps.clock.sleep(PING_MS, signal);
        this.#pingAll();
      }
    });
  }

  /** Takes over a connection that asked to be upgraded; without a valid session it is closed with 4401. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, authorised: boolean): void {
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => this.#log.debug('rpc connection failed', { error }));
      if (!authorised) client.close(UNAUTHORISED, 'open Spherecast again');
      else if (this.#openClients > MAX_CLIENTS) client.close(TRY_LATER, 'too many connections');
      else this.#serve(client);
    });
  }

  [Symbol.dispose](): void {
    for (const client of this.#sockets.clients) {
      client.close(GOING_AWAY, 'the engine ends');
      client.terminate();
    }
    this.#sockets.close();
  }

  /** Whoever was sent away and does not go takes nobody's place. */
  get #openClients(): number {
    return [...this.#sockets.clients].filter((client) => client.readyState === client.OPEN).length;
  }

  #serve(client: WebSocket): void {
    alive.add(client);
    client.on('pong', () => alive.add(client));
    client.on('message', () => alive.add(client));
    const port = {
      addEventListener: client.addEventListener.bind(client),
      send: (message: string | Uint8Array) => {
        // What was sent before this message: one long answer is no sign of a client that does not keep up.
        const unsentBytes = client.bufferedAmount;
        client.send(message);
        if (unsentBytes > MAX_UNSENT_BYTES) {
          this.#log.warn('rpc client does not keep up', { unsentBytes });
          client.terminate();
        }
      },
    };
    void this.#handler.upgrade(port, { context: {} });
  }

  #pingAll(): void {
    for (const client of this.#sockets.clients) {
      // Silent since the last ping: a suspended laptop or a page that is gone.
      if (!alive.delete(client)) client.terminate();
      else client.ping();
    }
  }
}

/** What an answer says, to be written as it is. */
class Told {
  readonly #said: object;

  constructor(said: object) {
    this.#said = said;
  }

  toJSON(): object {
    return this.#said;
  }
}

/**
 * The contract's answers are JSON. Left to itself the RPC library copies each of them to look for dates, sets and the like,
 * which of ten thousand items takes longer than to read them. Streams of events are its own.
 */
function asItIs(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && !(Symbol.asyncIterator in answer) ? new Told(answer) : answer;
}

/** Clients that gave a sign of life since the last ping. */
const alive = new WeakSet<WebSocket>();
