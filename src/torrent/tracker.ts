// BEP 3: tracker protocol, BEP 23: compact peer lists
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Server, TrackerParams } from 'bittorrent-tracker';
import type { Clock } from '../base/clock.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import { householdOf } from '../base/ip-address.ts';
import { parseEndpoint } from './endpoint.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';

const TRACKER_INTERVAL_MS = 5 * 60_000;
const MOST_SWARMS = 1_000;
const MOST_PEERS = 200;
/** Of one household: whoever makes ports up crowds out only its own. */
const MOST_PEERS_OF_HOUSEHOLD = 16;
/** Whoever has many items comes back to each of them once in `FULL_ROUND_MS`, or somewhat later. */
export const PEER_LIFETIME_MS = 2 * 3_600_000;
const REQUESTS_PER_WINDOW = 100;
const WINDOW_MS = 10_000;
const MOST_ADDRESSES = 2_000;
const LONGEST_URL = 1_000;
const MOST_CONNECTIONS = 200;
const MOST_CONNECTIONS_OF_HOUSEHOLD = 16;
const CONNECTION_MS = 10_000;

/** What a tracker is asked for instead of the info hash: 40 hex digits of HMAC-SHA-256(tracker key, info hash). */
export function trackerHash(trackerKey: Uint8Array, infoHash: InfoHash): string {
  const bytes = fromHex(infoHash);
  if (bytes === undefined) throw new AppError('internal', 'info hash is not hex');
  return toHex(createHmac('sha256', trackerKey).update(bytes).digest().subarray(0, 20));
}

export interface TrackerDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Whether a hash belongs to a torrent we hold; all others are refused before they cost memory. */
  readonly knows: (hash: string) => boolean;
  /** Somebody announced itself under a hash we know. */
  readonly onPeer: (hash: string, endpoint: string) => void;
}

/** A tracker for our members on our own port: HTTP announces under a secret path, for our own torrents, nothing else. */
export class Tracker implements Disposable {
  readonly #deps: TrackerDeps;
  /** null until somebody asks: the package takes longer to load than the rest of a start. */
  #server: Server | null = null;
  #opening: Promise<Server> | null = null;
  readonly #token: string;
  readonly #requests = new Map<string, number>();
  /** What keeps each from being ended when its time is over. */
  readonly #sockets = new Map<Socket, AbortController>();
  #windowMs = 0;
  #disposed = false;

  constructor(deps: TrackerDeps) {
    this.#deps = deps;
    this.#token = toHex(deps.random(16));
  }

  /** The address to tell members, for a port that reaches this tracker. */
  urlFor(hostAndPort: string): string {
    return `http://${hostAndPort}/${this.#token}/announce`;
  }

  /** Takes a connection of any listener; it ends seconds after its last question. */
  accept(socket: Socket): void {
    socket.on('error', () => undefined);
    const household = householdOf(socket.remoteAddress ?? '');
    const open = Array.from(this.#sockets.keys());
    const own = open.filter((other) => householdOf(other.remoteAddress ?? '') === household);
    if (open.length >= MOST_CONNECTIONS || own.length >= MOST_CONNECTIONS_OF_HOUSEHOLD) {
      socket.destroy();
      return;
    }
    socket.once('close', () => {
      this.#sockets.get(socket)?.abort();
      this.#sockets.delete(socket);
    });
    this.#endLater(socket);
    void this.#serve(socket);
  }

  /** Hashes announced to us and still kept. */
  get size(): number {
    return Object.keys(this.#server?.torrents ?? {}).length;
  }

  /** Drops what belongs to no torrent of ours any more. */
  sweep(): void {
    const torrents: Server['torrents'] = this.#server?.torrents ?? {};
    for (const hash of Object.keys(torrents)) if (!this.#deps.knows(hash)) delete torrents[hash];
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#disposed = true;
    if (this.#server !== null) this.#server.destroyed = true;
  }

  #endLater(socket: Socket): void {
    this.#sockets.get(socket)?.abort();
    const asked = new AbortController();
    this.#sockets.set(socket, asked);
    // A rejected sleep means that the connection has closed already, or that it was used for another question.
    this.#deps.clock.sleep(CONNECTION_MS, asked.signal).then(
      () => socket.destroy(),
      () => undefined,
    );
  }

  async #serve(socket: Socket): Promise<void> {
    try {
      const server = await (this.#opening ??= this.#open());
      if (!socket.destroyed) server.http.emit('connection', socket);
    } catch (error) {
      this.#deps.log.error('tracker does not open', { error });
      socket.destroy();
    }
  }

  async #open(): Promise<Server> {
    const { Server: TrackerServer } = await import('bittorrent-tracker');
    const { log, onPeer } = this.#deps;
    const server = new TrackerServer({
      http: true,
      udp: false,
      ws: false,
      stats: false,
      trustProxy: false,
      interval: TRACKER_INTERVAL_MS,
      peersCacheLength: MOST_PEERS,
      peersCacheTtl: PEER_LIFETIME_MS,
      filter: (hash, _params, allow) => allow(this.#mayAnnounce(hash) ? null : new Error('unknown')),
    });
    server.on('error', (error: unknown) => log.error('tracker failed', { error }));
    server.on('warning', (warning: unknown) => log.debug('announce refused', { warning }));
    for (const event of ['start', 'update', 'complete']) {
      server.on(event, (endpoint: string, params: TrackerParams) => {
        if (typeof params.info_hash !== 'string') return;
        this.#crowdOut(params.info_hash, endpoint);
        onPeer(params.info_hash, endpoint);
      });
    }
    server.http.on('request', (request: IncomingMessage, response: ServerResponse) => this.#screen(request, response));
    const answer = server.onHttpRequest.bind(server);
    server.onHttpRequest = (request, response) => {
      try {
        answer(request, response);
      } catch (error) {
        log.warn('announce refused', { error });
        (response as ServerResponse).destroy();
      }
    };
    this.#server = server;
    server.destroyed = this.#disposed;
    return server;
  }

  /** Drops the oldest of a household that has too many under one hash. */
  #crowdOut(hash: string, newcomer: string): void {
    const swarm = this.#server?.torrents[hash];
    const household = householdOf(parseEndpoint(newcomer)?.host ?? '');
    const own = swarm?.peers.keys.filter((one) => householdOf(parseEndpoint(one)?.host ?? '') === household) ?? [];
    const oldest = own.find((one) => one !== newcomer);
    if (own.length <= MOST_PEERS_OF_HOUSEHOLD || oldest === undefined) return;
    swarm?.announce({ event: 'stopped', type: 'http', addr: oldest }, () => undefined);
  }

  #mayAnnounce(hash: string): boolean {
    if (!this.#deps.knows(hash)) return false;
    return this.size < MOST_SWARMS || Object.hasOwn(this.#server?.torrents ?? {}, hash);
  }

  /** Runs before the package sees the request; what is answered here never reaches it. */
  #screen(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    const [path = '', query = ''] = url.split('?', 2);
    const allowed =
      request.method === 'GET' &&
      url.length <= LONGEST_URL &&
      this.#withinRate(request.socket.remoteAddress) &&
      this.#isOurPath(path);
    if (!allowed) {
      response.writeHead(404, { connection: 'close' }).end();
      return;
    }
    this.#endLater(request.socket);
    request.url = `/announce?${query}`;
  }

  #isOurPath(path: string): boolean {
    const expected = Buffer.from(`/${this.#token}/announce`);
    const given = Buffer.from(path);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #withinRate(address: string | undefined): boolean {
    if (address === undefined) return false;
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#requests.clear();
      this.#windowMs = nowMs;
    }
    const source = householdOf(address);
    const count = (this.#requests.get(source) ?? 0) + 1;
    if (count > REQUESTS_PER_WINDOW || (count === 1 && this.#requests.size >= MOST_ADDRESSES)) return false;
    this.#requests.set(source, count);
    return true;
  }
}
