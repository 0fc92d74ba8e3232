import type { Duplex } from 'node:stream';
import type { Torrent } from 'webtorrent';
import { clearBit, hasBit, setBit } from '../base/bitfield.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { Arrivals } from './arrivals.ts';
import type { TorrentClient } from './client.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { Giving } from './giving.ts';
import type { Link } from './link.ts';
import type { Metainfo } from './metainfo.ts';
import { pieceCount, pieceSize } from './metainfo.ts';
import { PeerPieces } from './peer-pieces.ts';
import type { PieceRange } from './piece-range.ts';
import type { PieceSwarm, PieceSwarmDeps } from './piece-swarm.ts';
import { RateMeter } from './rate-meter.ts';
import { selection } from './selection.ts';
import { StockLink } from './stock-link.ts';
import { StockStore } from './stock-store.ts';
import type { BlockHeader } from './wire-framer.ts';

/** Who ends a connection that is younger may not want it. */
const ESTABLISHED_MS = 10_000;

export interface StockSwarmDeps extends PieceSwarmDeps {
  readonly client: TorrentClient;
  readonly metainfo: Metainfo;
  /** Pieces on the disk, in BEP 3 bit order; spare bits zero. */
  readonly bitfield: Uint8Array;
}

/**
 * The swarm of one torrent where our own transfer cannot be used: webtorrent asks for the pieces, puts them together and
 * compares them, by what it promises alone. Its torrent begins with the first connection; which pieces are here is known
 * here, and told to it only at its beginning.
 */
export class StockSwarm implements PieceSwarm {
  readonly #deps: StockSwarmDeps;
  readonly #count: number;
  readonly #have: Uint8Array<ArrayBuffer>;
  readonly #links = new Map<StockLink, PeerPieces>();
  readonly #windows = new Map<string, PieceRange>();
  readonly #giving = new Giving();
  readonly #arrivals: Arrivals;
  readonly #down: RateMeter;
  #opening: Promise<Torrent> | null = null;
  #torrent: Torrent | null = null;
  #connections = 0;
  #uploaded = 0;
  #isHeld = false;
  #isBehind = false;
  #isEnded = false;
  #missing: number;
  #bytesHave = 0;

  constructor(deps: StockSwarmDeps) {
    this.#deps = deps;
    this.#count = pieceCount(deps.shape);
    this.#have = Uint8Array.from(deps.bitfield);
    this.#missing = this.#count;
    this.#arrivals = new Arrivals((piece) => this.#size(piece));
    this.#down = new RateMeter(deps);
    for (let piece = 0; piece < this.#count; piece += 1) if (this.#has(piece)) this.#counted(piece, 1);
  }

  get links(): StockLink[] {
    return Array.from(this.#links.keys());
  }

  get wantsAnything(): boolean {
    if (this.isComplete) return false;
    const { background } = this.#deps;
    const wanted = [...this.#windows.values(), ...(background ?? [{ from: 0, to: this.#count }])];
    return wanted.some(({ from, to }) => {
      for (let piece = from; piece < to; piece += 1) if (!this.#has(piece)) return true;
      return false;
    });
  }

  get isRead(): boolean {
    return this.#windows.size > 0;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  get bitfield(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#have);
  }

  get bytesHave(): number {
    return this.#bytesHave;
  }

  get rates(): { readonly down: number; readonly up: number } {
    return { down: this.#down.rate, up: this.links.reduce((sum, { rates }) => sum + rates.up, 0) };
  }

  get uploaded(): number {
    return this.links.reduce((sum, { moved }) => sum + moved.up, this.#uploaded);
  }

  bytesOf(link: Link): number {
    return Math.min((this.#piecesOf(link)?.held ?? 0) * this.#deps.shape.pieceLength, this.#deps.shape.length);
  }

  isSeed(link: Link): boolean {
    return this.#piecesOf(link)?.complete ?? false;
  }

  connect(stream: Duplex, info: ConnectionInfo): void {
    if (stream.destroyed || this.#isEnded) {
      stream.destroy();
      return;
    }
    this.#connections += 1;
    const pieces = new PeerPieces(this.#count);
    const { buckets, clock, borrow, onLinksChanged } = this.#deps;
    const link = new StockLink({
      ...info,
      id: `${info.device} ${this.#connections}`,
      stream,
      geometry: { pieceCount: this.#count, pieceSize: (piece) => this.#size(piece) },
      buckets,
      giving: this.#giving,
      clock,
      have: (piece) => this.#has(piece),
      borrow,
      onAsked: (block) => this.#asked(block),
      onBlock: (block) => this.#came(block, info.device),
      onPieces: (bitfield) => {
        if (bitfield === null) pieces.fill();
        else pieces.replace(bitfield);
        onLinksChanged();
      },
      onHave: (piece) => void pieces.add(piece),
      onFailure: (error) => this.#logEnd(info.device, error),
    });
    this.#links.set(link, pieces);
    stream.once('close', () => this.#left(link, pieces));
    if (this.#isBehind) link.waitForDisk(true);
    void this.#handOver(link);
    onLinksChanged();
  }

  setWindow(reader: string, from: number, to: number): void {
    const { pieceLength } = this.#deps.shape;
    if (from < to) {
      const range = { from: Math.floor(from / pieceLength), to: Math.min(this.#count, Math.ceil(to / pieceLength)) };
      this.#windows.set(reader, range);
    } else this.#windows.delete(reader);
    this.#select();
  }

  hold(held: boolean): void {
    if (this.#isHeld === held) return;
    this.#isHeld = held;
    this.#select();
  }

  tick(): void {
    const isWanting = !this.isComplete && !this.#isHeld && this.wantsAnything;
    const before = this.links.map((link) => ({ link, wasBarren: link.isBarren }));
    for (const { link } of before) link.tick();
    for (const [device, own] of Map.groupBy(this.links, (link) => link.device)) {
      this.#giving.tick(device, isWanting && !own.some((link) => link.isResting));
    }
    if (before.some(({ link, wasBarren }) => link.isBarren !== wasBarren)) this.#deps.onLinksChanged();
  }

  /** webtorrent cannot be told: it begins anew with the next connection. */
  lost(pieces: readonly number[]): void {
    for (const piece of pieces) {
      if (!this.#has(piece)) continue;
      clearBit(this.#have, piece);
      this.#counted(piece, -1);
    }
    this.disconnect(() => true);
    void this.#close();
  }

  disconnect(leaves: (link: Link) => boolean): void {
    for (const link of this.links) if (leaves(link)) link.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    this.disconnect(() => true);
    await this.#close();
  }

  #has(piece: number): boolean {
    return hasBit(this.#have, piece);
  }

  #size(piece: number): number {
    return pieceSize(this.#deps.shape, piece);
  }

  #piecesOf(link: Link): PeerPieces | undefined {
    return link instanceof StockLink ? this.#links.get(link) : undefined;
  }

  #counted(piece: number, by: 1 | -1): void {
    this.#missing -= by;
    this.#bytesHave += by * this.#size(piece);
  }

  async #handOver(link: StockLink): Promise<void> {
    try {
      const torrent = await (this.#opening ??= this.#open());
      if (link.stream.destroyed) return;
      if (torrent.destroyed || !torrent.addPeer(link.stream)) link.destroy();
      else link.begin();
    } catch (error) {
      this.#logEnd(link.device, error);
      link.destroy();
    }
  }

  async #open(): Promise<Torrent> {
    const { client, metainfo, borrow, write, buffers, log, onFailed } = this.#deps;
    const store = new StockStore({
      borrow,
      write,
      buffers,
      have: (piece) => this.#has(piece),
      onWritten: (piece) => this.#written(piece),
      onFailed,
      onBehind: (isBehind) => {
        this.#isBehind = isBehind;
        for (const link of this.links) link.waitForDisk(isBehind);
      },
    });
    try {
      const torrent = await client.addStock({ metainfo, bitfield: this.bitfield }, store);
      torrent.on('warning', (warning: unknown) => log.warn('torrent client warns', { warning }));
      torrent.on('error', (error: unknown) => onFailed(error));
      if (torrent.downloaded !== this.#bytesHave) {
        await destroyed(torrent);
        throw new AppError('file-changed', 'what is on the disk is not what it was');
      }
      this.#torrent = torrent;
      this.#select();
      return torrent;
    } catch (error) {
      this.#opening = null;
      throw error;
    }
  }

  async #close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    this.#torrent = null;
    this.#arrivals.clear();
    const [opened] = await Promise.allSettled([opening]);
    if (opened.status === 'fulfilled' && opened.value !== null && !opened.value.destroyed)
      await destroyed(opened.value);
  }

  /** Tells webtorrent what is wanted now. */
  #select(): void {
    const torrent = this.#torrent;
    if (torrent === null || torrent.destroyed) return;
    torrent.deselect(0, this.#count - 1);
    if (this.#isHeld || this.isComplete) return;
    for (const { from, to, isUrgent } of selection(this.#count, this.#windows.values(), this.#deps.background)) {
      torrent.select(from, to - 1, isUrgent ? 1 : 0);
    }
  }

  #written(piece: number): void {
    this.#arrivals.right(piece);
    if (this.#has(piece)) return;
    setBit(this.#have, piece);
    this.#counted(piece, 1);
    this.#deps.onVerified(piece);
  }

  #came(block: BlockHeader, device: DeviceKey): void {
    this.#down.add(block.length);
    this.#arrivals.came(block, device);
  }

  #asked(block: BlockHeader): void {
    const authors = this.#arrivals.asked(block);
    if (authors === null) return;
    this.#deps.log.warn('a piece failed its check', { piece: block.piece });
    const [author, ...others] = authors;
    if (author !== undefined && others.length === 0) this.#deps.onBadPiece(author);
  }

  #left(link: StockLink, pieces: PeerPieces): void {
    this.#links.delete(link);
    this.#uploaded += link.moved.up;
    const isParting = pieces.complete && this.isComplete;
    const wasWanted = link.ageMs > ESTABLISHED_MS || link.brokeInUse;
    if (!link.isLetGo && !link.isStranger && !isParting && wasWanted) this.#deps.onLost(link.device);
    this.#deps.onLinksChanged();
  }

  /** An expected failure is told without its cause, which may name a file. */
  #logEnd(device: DeviceKey, error: unknown): void {
    const { log } = this.#deps;
    if (error instanceof AppError) log.warn('connection ended', { device, code: error.code, reason: error.message });
    else log.error('connection broke', { device, error });
  }
}

async function destroyed(torrent: Torrent): Promise<void> {
  await new Promise<void>((resolve) => torrent.destroy({ destroyStore: false }, () => resolve()));
}
