import { tmpdir } from 'node:os';
import type { Socket } from 'node:net';
import type WebTorrent from 'webtorrent';
import type { ParsedTorrent, Torrent } from 'webtorrent';
import { AppError } from '../base/errors.ts';
import { checkParts, checkPieces } from './self-check.ts';
import { toHex } from '../base/bytes.ts';
import type { Logger } from '../base/log.ts';
import type { Metainfo } from './metainfo.ts';
import { DIGEST_BYTES, pieceCount, pieceSize } from './metainfo.ts';

/** webtorrent counts its own dialled connections only; ours are counted by the dialer. */
const NO_LIMIT = 1_000_000;

/** Members who are given something at the same time; strangers come on top and take no place from them. */
export const UPLOADS = 10;

/** What is used of webtorrent 3.0.21 and bittorrent-protocol 5.0.9 beyond what they promise. */
const TORRENT_PARTS = [
  ...['addPeer', '_peers', '_verifyPieces', '_updateWire', '_updateWireWrapper', '_markVerified', '_markUnverified'],
  '_rechokeNumSlots',
];
const WIRE_PARTS = [
  ...['reject', 'choke', 'have', 'keepAlive', 'use', 'push', '_onHandshakeBuffer', '_onMessage', '_onRequest'],
  ...['_onCancel', '_onReject', '_onExtended'],
];

/** Pieces never pass through webtorrent, see src/torrent/torrent-swarm.ts. */
const NO_STORE = {
  get: (_index: number, _range: unknown, done: (error: Error) => void) => done(new Error('pieces are not kept here')),
  put: (_index: number, _bytes: Uint8Array, done: (error: Error) => void) =>
    done(new Error('pieces are not kept here')),
  close: (done?: () => void) => done?.(),
  destroy: (done?: () => void) => done?.(),
};

export interface ClientTorrentOptions {
  readonly metainfo: Metainfo;
  /** Pieces on the disk, in BEP 3 bit order; spare bits zero. */
  readonly bitfield: Uint8Array;
}

/**
 * The one place that runs webtorrent: without listener, discovery, extensions, trackers, web seeds and HTTP server.
 * It is fed the numbers of a torrent and connections, and nothing else: its own parser sees no metainfo, and no name of
 * a file ever comes here.
 */
export class TorrentClient implements AsyncDisposable {
  readonly #log: Logger;
  #client: Promise<WebTorrent> | null = null;

  constructor(deps: { log: Logger }) {
    this.#log = deps.log;
  }

  /**
   * Fails with `transfer-unsafe`, and so does everything after it, where pieces or the library are not what they must be.
   * Loading the library takes longer than the rest of a start, so that it comes with its first use or a moment later.
   */
  async load(): Promise<void> {
    await (this.#client ??= this.#open());
  }

  /** A torrent that takes connections; nothing was read or hashed on the way. */
  async add(options: ClientTorrentOptions): Promise<Torrent> {
    const client = await (this.#client ??= this.#open());
    const torrent = client.add(parsed(options.metainfo), {
      announce: [],
      urlList: [],
      path: tmpdir(),
      private: true,
      preloadedStore: NO_STORE,
      storeCacheSlots: 0,
      destroyStoreOnDestroy: false,
      deselect: true,
      bitfield: options.bitfield,
    });
    checkParts(torrent, TORRENT_PARTS, 'torrent');
    // The store checks every piece before it is first served, so the start needs no look at the disk.
    torrent._verifyPieces = (done) => done(null);
    await new Promise<void>((resolve, reject) => {
      torrent.once('ready', resolve);
      torrent.once('error', (cause: unknown) =>
        reject(new AppError('invalid-torrent', 'the torrent client refused the torrent', {}, cause)),
      );
    });
    torrent.removeAllListeners('error');
    return torrent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [opened] = await Promise.allSettled([this.#client]);
    const client = opened.status === 'fulfilled' ? opened.value : null;
    if (client === null || client.destroyed) return;
    // Closing a listener that is closed already reports an error, which is the wanted outcome here.
    await new Promise<void>((resolve) => client.destroy(() => resolve()));
  }

  async #open(): Promise<WebTorrent> {
    checkPieces();
    const [{ default: Client }, { default: Wire }] = await Promise.all([
      import('webtorrent'),
      import('bittorrent-protocol'),
    ]);
    checkParts(Wire.prototype as object, WIRE_PARTS, 'wire');
    const client = new Client({
      dht: false,
      lsd: false,
      utPex: false,
      utp: false,
      natUpnp: false,
      natPmp: false,
      tracker: false,
      webSeeds: false,
      secure: 0,
      maxConns: NO_LIMIT,
    });
    checkParts(client, ['_connPool'], 'client');
    const { tcpServer } = client._connPool;
    // The listener cannot be switched off, so nothing answers on it until it is closed.
    tcpServer.removeAllListeners('connection');
    tcpServer.on('connection', (socket: Socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      client.once('listening', resolve);
      client.once('error', reject);
    });
    tcpServer.close();
    client.removeAllListeners('error');
    client.on('error', (error: unknown) => this.#log.error('torrent client failed', { error }));
    return client;
  }
}

/** A torrent as webtorrent has it after parsing: one file, which the store of pieces knows nothing about. */
function parsed(metainfo: Metainfo): ParsedTorrent {
  const { infoHash, length, pieceLength, pieces } = metainfo;
  const count = pieceCount(metainfo);
  const digest = (piece: number): string => toHex(pieces.subarray(piece * DIGEST_BYTES, (piece + 1) * DIGEST_BYTES));
  return {
    infoHash,
    // Anything that is there says that no metadata has to be asked for.
    info: {},
    name: 'data',
    announce: [],
    urlList: [],
    files: [{ path: 'data', name: 'data', length, offset: 0 }],
    length,
    pieceLength,
    lastPieceLength: pieceSize(metainfo, count - 1),
    pieces: Array.from({ length: count }, (_, piece) => digest(piece)),
  };
}
