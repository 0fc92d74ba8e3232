/** What webtorrent 3.0.21 promises, as far as we use it; the rest stands in `webtorrent-inside.ts`. */
declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';

  export interface Torrent extends EventEmitter {
    readonly infoHash: string;
    readonly ready: boolean;
    readonly destroyed: boolean;
    readonly downloaded: number;
    readonly downloadSpeed: number;
    readonly uploadSpeed: number;
    readonly uploaded: number;
    addPeer(peer: Duplex & { id: string; connected: boolean }): boolean;
    /** Pieces from `from` to `to`, both of them too. */
    select(from: number, to: number, priority: number): void;
    deselect(from: number, to: number): void;
    destroy(options: { destroyStore: boolean }, done: (error?: Error | null) => void): void;
  }

  export interface ClientOptions {
    readonly dht: false;
    readonly lsd: false;
    readonly utPex: false;
    readonly utp: false;
    readonly natUpnp: false;
    readonly natPmp: false;
    readonly tracker: false;
    readonly webSeeds: false;
    readonly secure: 0;
    readonly maxConns: number;
  }

  export interface ParsedTorrent {
    readonly infoHash: string;
    readonly info: object;
    readonly name: string;
    readonly announce: readonly [];
    readonly urlList: readonly [];
    readonly files: readonly { readonly path: string; readonly name: string; length: number; offset: number }[];
    readonly length: number;
    readonly pieceLength: number;
    readonly lastPieceLength: number;
    readonly pieces: readonly string[];
  }

  /** abstract-chunk-store: of a range, or all of a piece where nothing is said. */
  export interface ChunkStore {
    get(
      index: number,
      range: { readonly offset?: number; readonly length?: number } | null,
      done: (error: Error | null, bytes?: Uint8Array) => void,
    ): void;
    put(index: number, bytes: Uint8Array, done: (error: Error | null) => void): void;
    close(done?: () => void): void;
    destroy(done?: () => void): void;
  }

  export interface AddOptions {
    readonly announce: readonly [];
    readonly urlList: readonly [];
    readonly path: string;
    readonly private: true;
    readonly preloadedStore: ChunkStore;
    readonly storeCacheSlots: 0;
    readonly destroyStoreOnDestroy: false;
    readonly deselect: true;
    /** How many are given something at the same time. */
    readonly uploads: number;
    readonly bitfield: Uint8Array;
  }

  export default class WebTorrent extends EventEmitter {
    static readonly VERSION: string;
    constructor(options: ClientOptions);
    readonly listening: boolean;
    readonly destroyed: boolean;
    add(torrent: ParsedTorrent, options: AddOptions): Torrent;
    destroy(done: (error?: Error | null) => void): void;
  }
}

declare module 'bittorrent-tracker' {
  import type { EventEmitter } from 'node:events';
  import type { Server as HttpServer } from 'node:http';

  export interface TrackerPeer {
    readonly type: string;
    readonly complete: boolean;
    readonly peerId: string;
    readonly ip: string;
    readonly port: number;
  }

  export interface TrackerSwarm {
    readonly peers: { readonly length: number; readonly keys: readonly string[] };
    complete: number;
    incomplete: number;
    announce(params: { event: 'stopped'; type: 'http'; addr: string }, done: () => void): void;
  }

  export interface TrackerParams {
    readonly info_hash: string | readonly string[];
    readonly peer_id?: string;
    readonly ip?: string;
    readonly port?: number;
  }

  export class Server extends EventEmitter {
    constructor(options: {
      readonly http: true;
      readonly udp: false;
      readonly ws: false;
      readonly stats: false;
      readonly trustProxy: false;
      readonly interval: number;
      readonly peersCacheLength: number;
      readonly peersCacheTtl: number;
      readonly filter: (infoHash: string, params: TrackerParams, allow: (error: Error | null) => void) => void;
    });
    readonly http: HttpServer;
    readonly torrents: Record<string, TrackerSwarm>;
    onHttpRequest(request: object, response: object, options?: object): void;
    destroyed: boolean;
  }
}

declare module 'bittorrent-protocol' {
  const Wire: new (type: string, encryption: 0) => object;
  export default Wire;
}
