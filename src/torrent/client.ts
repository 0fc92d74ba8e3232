import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { duplexPair } from 'node:stream';
import type WebTorrent from 'webtorrent';
import type { ChunkStore, ParsedTorrent, Torrent } from 'webtorrent';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseInfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Metainfo } from './metainfo.ts';
import { DIGEST_BYTES, pieceCount, pieceSize } from './metainfo.ts';
import { checkPieces } from './self-check.ts';
import type { TorrentWires } from './webtorrent-inside.ts';
import { WebtorrentInside } from './webtorrent-inside.ts';

/** webtorrent counts its own dialled connections only; ours are counted by the dialer. */
const NO_LIMIT = 1_000_000;

/** Members who are given something at the same time; strangers come on top and take no place from them. */
export const UPLOADS = 10;

/** Pieces never pass through webtorrent, see src/torrent/torrent-swarm.ts. */
const NO_STORE: ChunkStore = {
  get: (_index, _range, done) => done(new Error('pieces are not kept here')),
  put: (_index, _bytes, done) => done(new Error('pieces are not kept here')),
  close: (done) => done?.(),
  destroy: (done) => done?.(),
};

/** A torrent that nobody has, to see whether torrents are what they must be. */
const SAMPLE: Metainfo = {
  infoHash: parseInfoHash('5'.repeat(40)),
  length: 16_384,
  pieceLength: 16_384,
  pieces: new Uint8Array(DIGEST_BYTES),
};

export interface ClientTorrentOptions {
  readonly metainfo: Metainfo;
  /** Pieces on the disk, in BEP 3 bit order; spare bits zero. */
  readonly bitfield: Uint8Array;
}

/** `fast`: our own transfer on webtorrent's conversation. `stock`: webtorrent's own, by what it promises alone. */
export type Lane = 'fast' | 'stock';

export interface TorrentClientDeps {
  readonly log: Logger;
  /** That of the installed packages when left out. */
  readonly inside?: WebtorrentInside;
}

interface Opened {
  readonly client: WebTorrent;
  readonly lane: Lane;
}

/**
 * The one place that runs webtorrent: without listener, discovery, extensions, trackers, web seeds and HTTP server.
 * It is fed the numbers of a torrent and connections, and nothing else: its own parser sees no metainfo, and no name of
 * a file ever comes here.
 */
export class TorrentClient implements AsyncDisposable {
  readonly #log: Logger;
  readonly #inside: WebtorrentInside;
  #opening: Promise<Opened> | null = null;
  #lane: Lane | null = null;

  constructor(deps: TorrentClientDeps) {
    this.#log = deps.log;
    this.#inside = deps.inside ?? new WebtorrentInside();
  }

  /** null before it is loaded. */
  get lane(): Lane | null {
    return this.#lane;
  }

  /**
   * Gives how pieces travel. Fails with `transfer-unsafe`, and so does everything after it, where pieces are not what they
   * must be. Loading the library takes longer than the rest of a start, so that it comes with its first use or a moment later.
   */
  async load(): Promise<Lane> {
    const { lane } = await (this.#opening ??= this.#open());
    return lane;
  }

  /** In the fast lane: a torrent that takes connections; nothing was read or hashed on the way. */
  async add(options: ClientTorrentOptions): Promise<TorrentWires> {
    const { client } = await (this.#opening ??= this.#open());
    return this.#addInside(client, options);
  }

  /** In either lane: a torrent that takes connections and moves its pieces itself, by the store. */
  async addStock(options: ClientTorrentOptions, store: ChunkStore): Promise<Torrent> {
    const { client } = await (this.#opening ??= this.#open());
    const torrent = client.add(parsed(options.metainfo), addOptions(options, store));
    await untilReady(torrent);
    return torrent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [opened] = await Promise.allSettled([this.#opening]);
    const client = opened.status === 'fulfilled' ? opened.value?.client : undefined;
    if (client === undefined || client.destroyed) return;
    await destroyed(client);
  }

  async #open(): Promise<Opened> {
    checkPieces();
    const [{ default: Client }, { default: Wire }] = await Promise.all([
      import('webtorrent'),
      import('bittorrent-protocol'),
    ]);
    const client = await openSilently(Client);
    client.on('error', (error: unknown) => this.#log.error('torrent client failed', { error }));
    this.#lane = await this.#tryInside(client, Wire);
    return { client, lane: this.#lane };
  }

  /** Whether the inside of the library is what the fast lane was made for: all of it is used once. */
  async #tryInside(client: WebTorrent, wireClass: { readonly prototype: object }): Promise<Lane> {
    const torrents: TorrentWires[] = [];
    try {
      this.#inside.checkPackages(wireClass);
      torrents.push(await this.#addInside(client, { metainfo: SAMPLE, bitfield: new Uint8Array(1) }));
      const [stream] = duplexPair();
      let isHeld = false;
      torrents[0]?.connect(stream, 'sample', () => (isHeld = true));
      if (!isHeld) throw new AppError('transfer-unsafe', 'a connection was not handed over');
      return 'fast';
    } catch (error) {
      this.#log.warn('transfers are slow: the torrent library is not the one this program was made for', { error });
      return 'stock';
    } finally {
      for (const torrent of torrents) await torrent.close();
    }
  }

  async #addInside(client: WebTorrent, options: ClientTorrentOptions): Promise<TorrentWires> {
    const torrent = client.add(parsed(options.metainfo), addOptions(options, NO_STORE));
    try {
      const wires = this.#inside.open(torrent);
      await untilReady(torrent);
      return wires;
    } catch (error) {
      if (!torrent.destroyed) torrent.destroy({ destroyStore: false }, () => undefined);
      throw error;
    }
  }
}

/** A client whose listener never answered anybody. Fails with `transfer-unsafe` when it listens in a way that is not known. */
async function openSilently(Client: typeof WebTorrent): Promise<WebTorrent> {
  const listeners: Server[] = [];
  const note = (message: unknown): void => {
    if (typeof message === 'object' && message !== null && 'server' in message && message.server instanceof Server) {
      listeners.push(message.server);
    }
  };
  // It cannot be switched off, and begins to listen before it can be asked where: Node.js tells of every listener.
  subscribe('tracing:net.server.listen:asyncStart', note);
  let client: WebTorrent;
  try {
    client = new Client({
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
  } finally {
    unsubscribe('tracing:net.server.listen:asyncStart', note);
  }
  for (const listener of listeners) {
    listener.removeAllListeners('connection');
    listener.on('connection', (socket: Socket) => socket.destroy());
  }
  await new Promise<void>((resolve, reject) => {
    client.once('listening', resolve);
    client.once('error', reject);
  });
  for (const listener of listeners) listener.close();
  client.removeAllListeners('error');
  if (listeners.length !== 1) {
    await destroyed(client);
    throw new AppError('transfer-unsafe', 'the torrent library listens in another way', {
      listeners: listeners.length,
    });
  }
  return client;
}

async function destroyed(client: WebTorrent): Promise<void> {
  // Closing a listener that is closed already reports an error, which is the wanted outcome here.
  await new Promise<void>((resolve) => client.destroy(() => resolve()));
}

function addOptions({ bitfield }: ClientTorrentOptions, store: ChunkStore) {
  return {
    announce: [],
    urlList: [],
    path: tmpdir(),
    private: true,
    preloadedStore: store,
    storeCacheSlots: 0,
    destroyStoreOnDestroy: false,
    deselect: true,
    uploads: UPLOADS,
    bitfield,
  } as const;
}

async function untilReady(torrent: Torrent): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    torrent.once('ready', resolve);
    torrent.once('error', (cause: unknown) =>
      reject(new AppError('invalid-torrent', 'the torrent client refused the torrent', {}, cause)),
    );
  });
  torrent.removeAllListeners('error');
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
