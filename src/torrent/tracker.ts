// BEP 3: tracker protocol, BEP 23: compact peer lists
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import type { TrackerParams } from 'bittorrent-tracker';
import { Server } from 'bittorrent-tracker';
import type { Clock } from '../base/clock.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';

const TRACKER_INTERVAL_MS = 5 * 60_000;
const MOST_SWARMS = 1_000;
const MOST_PEERS = 200;
const PEER_LIFETIME_MS = 15 * 60_000;
const REQUESTS_PER_WINDOW = 100;
const WINDOW_MS = 10_000;
const MOST_ADDRESSES = 2_000;
const LONGEST_URL = 1_000;
const MOST_CONNECTIONS = 200;
const MOST_CONNECTIONS_PER_ADDRESS = 16;
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
  readonly #server: Server;
  readonly #token: string;
  readonly #requests = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  #windowMs = 0;

  constructor(deps: TrackerDeps) {
    this.#deps = deps;
    this.#token = toHex(deps.random(16));
    this.#server = new Server({
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
    this.#server.on('error', (error: unknown) => deps.log.error('tracker failed', { error }));
    this.#server.on('warning', (warning: unknown) => deps.log.debug('announce refused', { warning }));
    for (const event of ['start', 'update', 'complete']) {
      this.#server.on(event, (endpoint: string, params: TrackerParams) => {
        if (typeof params.info_hash === 'string') deps.onPeer(params.info_hash, endpoint);
      });
    }
    this.#server.http.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#screen(request, response),
    );
    const answer = this.#server.onHttpRequest.bind(this.#server);
    this.#server.onHttpRequest = (request, response) => {
      try {
        answer(request, response);
      } catch (error) {
        deps.log.warn('announce refused', { error });
        (response as ServerResponse).destroy();
      }
    };
  }

  /** The address to tell members, for a port that reaches this tracker. */
  urlFor(hostAndPort: string): string {
    return `http://${hostAndPort}/${this.#token}/announce`;
  }

  /** Takes a connection of any listener; each serves one request and ends within seconds. */
  accept(socket: Socket): void {
    socket.on('error', () => undefined);
    const address = socket.remoteAddress ?? '';
    const ofAddress = Array.from(this.#sockets).filter((other) => other.remoteAddress === address).length;
    if (this.#sockets.size >= MOST_CONNECTIONS || ofAddress >= MOST_CONNECTIONS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    const closed = new AbortController();
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      closed.abort();
    });
    // A rejected sleep means the connection has closed already.
    this.#deps.clock.sleep(CONNECTION_MS, closed.signal).then(
      () => socket.destroy(),
      () => undefined,
    );
    this.#server.http.emit('connection', socket);
  }

  /** Hashes announced to us and still kept. */
  get size(): number {
    return Object.keys(this.#server.torrents).length;
  }

  /** Drops what belongs to no torrent of ours any more. */
  sweep(): void {
    for (const hash of Object.keys(this.#server.torrents)) {
      if (!this.#deps.knows(hash)) delete this.#server.torrents[hash];
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.destroyed = true;
  }

  #mayAnnounce(hash: string): boolean {
    if (!this.#deps.knows(hash)) return false;
    return this.size < MOST_SWARMS || Object.hasOwn(this.#server.torrents, hash);
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
    response.setHeader('connection', 'close');
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
    // One household has a whole /64.
    const source =
      isIPv6(address) && !address.startsWith('::ffff:') ? address.split(':').slice(0, 4).join(':') : address;
    const count = (this.#requests.get(source) ?? 0) + 1;
    if (count > REQUESTS_PER_WINDOW || (count === 1 && this.#requests.size >= MOST_ADDRESSES)) return false;
    this.#requests.set(source, count);
    return true;
  }
}
