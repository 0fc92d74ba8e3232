/** What we use of webtorrent 3.0.21 and bittorrent-protocol 5.0.9; members with an underscore are theirs, not public. */
declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events';
  import type { Server } from 'node:net';
  import type { Duplex } from 'node:stream';

  export interface BitField {
    readonly buffer: Uint8Array;
    get(index: number): boolean;
    set(index: number, value: boolean): void;
  }

  export interface Wire extends EventEmitter {
    readonly destroyed: boolean;
    readonly amChoking: boolean;
    readonly peerChoking: boolean;
    readonly hasFast: boolean;
    readonly peerId: string | null;
    isSeeder?: boolean;
    peerPieces: { get(index: number): boolean | number; readonly buffer: Uint8Array };
    peerExtensions: { extended?: boolean; fast?: boolean; dht?: boolean };
    extendedHandshake: Record<string, unknown>;
    peerExtendedHandshake: Record<string, unknown>;
    downloadSpeed(bytes?: number): number;
    uploadSpeed(bytes?: number): number;
    uploaded: number;
    downloaded: number;
    destroy(): void;
    handshake(infoHash: string, peerId: string, extensions: { fast: boolean }): void;
    reject(index: number, offset: number, length: number): void;
    choke(): void;
    keepAlive(): void;
    have(index: number): void;
    use(extension: ExtensionClass): void;
    push(chunk: Uint8Array | null): boolean;
    _onHandshakeBuffer(bytes: Uint8Array): void;
    _onMessage(bytes: Uint8Array): void;
    _onRequest(index: number, offset: number, length: number): void;
    _onCancel(index: number, offset: number, length: number): void;
    _onReject(index: number, offset: number, length: number): void;
    _onExtended(extension: number, bytes: Uint8Array): void;
    [extension: string]: unknown;
  }

  export interface ExtensionClass {
    readonly prototype: { readonly name: string };
    new (wire: Wire): object;
  }

  export interface Peer extends EventEmitter {
    readonly id: string;
    readonly wire: Wire | null;
    readonly conn: Duplex | null;
    readonly destroyed: boolean;
    setThrottlePipes(): void;
    destroy(error?: Error): void;
  }

  export interface Piece {
    readonly length: number;
    readonly missing: number;
    readonly sources: readonly Wire[] | null;
  }

  export interface Torrent extends EventEmitter {
    readonly infoHash: string;
    readonly ready: boolean;
    readonly destroyed: boolean;
    readonly done: boolean;
    readonly pieces: readonly (Piece | null)[];
    readonly bitfield: BitField;
    readonly wires: readonly Wire[];
    readonly downloadSpeed: number;
    readonly uploadSpeed: number;
    readonly uploaded: number;
    addPeer(peer: Duplex & { id: string; connected: boolean }): boolean;
    readonly _peers: Map<string, Peer>;
    _verifyPieces(done: (error: Error | null) => void): void;
    _updateWire(wire: Wire): void;
    _updateWireWrapper(): void;
    /** How many are given something at the same time. */
    _rechokeNumSlots: number;
    _markVerified(index: number): void;
    _markUnverified(index: number): void;
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

  export interface AddOptions {
    readonly announce: readonly [];
    readonly urlList: readonly [];
    readonly path: string;
    readonly private: true;
    readonly preloadedStore: object;
    readonly storeCacheSlots: 0;
    readonly destroyStoreOnDestroy: false;
    readonly deselect: true;
    readonly bitfield?: Uint8Array;
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions);
    readonly listening: boolean;
    readonly destroyed: boolean;
    readonly _connPool: { readonly tcpServer: Server };
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
  import type { Wire } from 'webtorrent';

  const Constructor: new (type: string, encryption: 0) => Wire;
  export default Constructor;
}
