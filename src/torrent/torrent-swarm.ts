import type { Duplex } from 'node:stream';
import type { Torrent, Wire } from 'webtorrent';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { TorrentShape } from './metainfo.ts';
import { pieceCount, pieceSize } from './metainfo.ts';
import { PeerLink, type Buckets } from './peer-link.ts';
import { PeerPieces } from './peer-pieces.ts';
import type { PieceRange } from './picker.ts';
import { PiecePicker } from './picker.ts';
import type { Route } from './route.ts';
import type { BlockRequest } from './uploads.ts';

const BLOCK_BYTES = 16 * 1024;
/** Time's worth of requests kept outstanding: short while somebody watches, so that a seek is not behind them. */
const READING_SECONDS = 0.4;
const BACKGROUND_SECONDS = 1;
const FEWEST_REQUESTS = 4;
const MOST_REQUESTS = 250;
/** Who ends a connection that is younger may not want it. */
const ESTABLISHED_MS = 10_000;
const FAILED_PIECE = /^Piece (\d+) failed verification$/;

export interface TorrentSwarmDeps {
  readonly torrent: Torrent;
  readonly shape: TorrentShape;
  readonly background: boolean;
  readonly buckets: Buckets;
  readonly read: (request: BlockRequest, signal: AbortSignal) => Promise<Uint8Array>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly onVerified: (piece: number) => void;
  /** The last missing piece is on the disk. */
  readonly onDone: () => void;
  /** webtorrent gave the torrent up: a write failed. */
  readonly onFailed: (error: unknown) => void;
  /** A piece that came from this device alone failed its check. */
  readonly onBadPiece: (device: DeviceKey) => void;
  readonly onLinksChanged: () => void;
  /** A connection ended that neither end had a reason to end: the network failed, or the other process. */
  readonly onLost: (device: DeviceKey) => void;
}

export interface ConnectionInfo {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
}

interface Member {
  readonly link: PeerLink;
  readonly pieces: PeerPieces;
}

/** All admitted connections of one torrent, and what is asked of each. */
export class TorrentSwarm implements AsyncDisposable {
  readonly #deps: TorrentSwarmDeps;
  readonly #picker: PiecePicker;
  readonly #members = new Map<Wire, Member>();
  readonly #sources = new Map<number, Set<DeviceKey>>();
  readonly #count: number;
  #connections = 0;
  #held = false;
  #missing: number;
  #bytesHave: number;

  constructor(deps: TorrentSwarmDeps) {
    this.#deps = deps;
    const { torrent } = deps;
    this.#count = pieceCount(deps.shape);
    this.#picker = new PiecePicker({
      pieceCount: this.#count,
      have: (piece) => this.has(piece),
      random: deps.random,
      background: deps.background,
    });
    const missing = Array.from({ length: this.#count }, (_, piece) => piece).filter((piece) => !this.has(piece));
    this.#missing = missing.length;
    this.#bytesHave = deps.shape.length - missing.reduce((bytes, piece) => bytes + pieceSize(deps.shape, piece), 0);
    torrent._updateWire = (wire) => this.#requestMore(wire);
    torrent.on('verified', (piece: number) => this.#verified(piece));
    torrent.on('warning', (warning: unknown) => this.#warned(warning));
    torrent.on('error', (error: unknown) => deps.onFailed(error));
  }

  get links(): PeerLink[] {
    return Array.from(this.#members.values(), (member) => member.link);
  }

  /** Bytes that the other end of a link is known to hold. */
  bytesOf(link: PeerLink): number {
    const held = this.#members.get(link.wire)?.pieces.held ?? 0;
    return Math.min(held * this.#deps.shape.pieceLength, this.#deps.shape.length);
  }

  isSeed(link: PeerLink): boolean {
    return this.#members.get(link.wire)?.pieces.complete ?? false;
  }

  get wantsAnything(): boolean {
    return this.#picker.wantsAnything;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  has(piece: number): boolean {
    return this.#deps.torrent.bitfield.get(piece);
  }

  get bitfield(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#deps.torrent.bitfield.buffer.subarray(0, Math.ceil(this.#count / 8)));
  }

  get bytesHave(): number {
    return this.#bytesHave;
  }

  get rates(): { down: number; up: number } {
    return { down: this.#deps.torrent.downloadSpeed, up: this.#deps.torrent.uploadSpeed };
  }

  /** Takes over an admitted stream. */
  connect(stream: Duplex, info: ConnectionInfo): void {
    const { torrent } = this.#deps;
    this.#connections += 1;
    const id = `${info.device} ${this.#connections}`;
    if (torrent.destroyed || !torrent.addPeer(Object.assign(stream, { id, connected: false }))) {
      stream.destroy();
      return;
    }
    const peer = torrent._peers.get(id);
    if (peer === undefined) throw new Error('webtorrent did not register the peer');
    peer.setThrottlePipes = () => {
      const { wire } = peer;
      if (wire === null) return;
      this.#join(
        new PeerLink({
          ...info,
          stream,
          peer,
          wire,
          geometry: { pieceCount: this.#count, pieceSize: (piece) => pieceSize(this.#deps.shape, piece) },
          buckets: this.#deps.buckets,
          clock: this.#deps.clock,
          have: (piece) => this.has(piece),
          read: this.#deps.read,
          onFailure: (error) => this.#logEnd(info.device, error),
        }),
        stream,
      );
    };
    // webtorrent waits for this event of a stream that says it is not connected yet; now its peer is prepared.
    stream.emit('connect');
  }

  /** Bytes in the torrent's byte space; an empty range drops the reader. */
  setWindow(reader: string, from: number, to: number): void {
    const { pieceLength } = this.#deps.shape;
    const range: PieceRange =
      from < to ? { from: Math.floor(from / pieceLength), to: Math.ceil(to / pieceLength) } : { from: 0, to: 0 };
    if (this.#picker.setWindow(reader, range)) this.#cancelOutside();
    this.refresh();
  }

  /** Holds back all requests, for example while the disk is full. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.refresh();
  }

  /** Looks again at what to ask of every peer. */
  refresh(): void {
    if (!this.#deps.torrent.destroyed) this.#deps.torrent._updateWireWrapper();
  }

  /** These pieces turned out not to be on the disk. */
  lost(pieces: readonly number[]): void {
    for (const piece of pieces) {
      if (!this.has(piece)) continue;
      this.#missing += 1;
      this.#bytesHave -= pieceSize(this.#deps.shape, piece);
      this.#deps.torrent._markUnverified(piece);
    }
    this.refresh();
  }

  disconnect(leaves: (link: PeerLink) => boolean): void {
    for (const { link } of Array.from(this.#members.values())) if (leaves(link)) link.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { torrent } = this.#deps;
    this.disconnect(() => true);
    if (torrent.destroyed) return;
    await new Promise<void>((resolve) => torrent.destroy({ destroyStore: false }, () => resolve()));
  }

  #join(link: PeerLink, stream: Duplex): void {
    const { wire } = link;
    const pieces = new PeerPieces(this.#count);
    this.#members.set(wire, { link, pieces });
    const recount = (change: () => void): void => {
      this.#picker.countAll((piece) => pieces.has(piece), -1);
      change();
      this.#picker.countAll((piece) => pieces.has(piece), 1);
      this.#deps.onLinksChanged();
    };
    wire.on('bitfield', () => recount(() => pieces.replace(wire.peerPieces.buffer)));
    wire.on('have-all', () => recount(() => pieces.fill()));
    wire.on('have', (piece: number) => {
      if (pieces.add(piece)) this.#picker.count(piece, 1);
    });
    wire.on('piece', (piece: number) => {
      const known = this.#sources.get(piece);
      if (known === undefined) this.#sources.set(piece, new Set([link.device]));
      else known.add(link.device);
    });
    stream.once('close', () => {
      this.#members.delete(wire);
      this.#picker.countAll((piece) => pieces.has(piece), -1);
      this.#picker.peerLeft(link.id);
      const isParting = pieces.complete && this.isComplete;
      if (!link.isLetGo && !isParting && link.ageMs > ESTABLISHED_MS) this.#deps.onLost(link.device);
      this.#deps.onLinksChanged();
    });
    this.#deps.onLinksChanged();
  }

  #requestMore(wire: Wire): void {
    const member = this.#members.get(wire);
    if (member === undefined || wire.destroyed || wire.peerChoking || this.#held) return;
    const most = this.#pipeline(wire);
    if (wire.requests.length >= most) return;
    const { torrent } = this.#deps;
    for (const { piece, urgent } of this.#picker.candidates(member.link.id, (index) => member.pieces.has(index))) {
      while (wire.requests.length < most && torrent._request(wire, piece, urgent)) {
        this.#picker.begun(piece, member.link.id);
      }
      if (wire.requests.length >= most) return;
    }
  }

  #pipeline(wire: Wire): number {
    const seconds = this.#picker.reading ? READING_SECONDS : BACKGROUND_SECONDS;
    const { reqq } = wire.peerExtendedHandshake;
    const allowed = typeof reqq === 'number' ? Math.min(reqq, MOST_REQUESTS * 2) : MOST_REQUESTS;
    return Math.min(allowed, FEWEST_REQUESTS + Math.ceil((seconds * wire.downloadSpeed()) / BLOCK_BYTES));
  }

  /** An expected failure is told without its cause, which may name a file. */
  #logEnd(device: DeviceKey, error: unknown): void {
    const { log } = this.#deps;
    if (error instanceof AppError) log.warn('connection ended', { device, code: error.code, reason: error.message });
    else log.error('connection broke', { device, error });
  }

  /** What was asked for before and is in the way of a reader, or wanted by nobody any more. */
  #cancelOutside(): void {
    for (const wire of this.#members.keys()) {
      for (const { piece, offset, length } of Array.from(wire.requests)) {
        if (!this.#picker.inWindow(piece)) wire.cancel(piece, offset, length);
      }
    }
  }

  #verified(piece: number): void {
    this.#sources.delete(piece);
    this.#picker.verified(piece);
    this.#missing -= 1;
    this.#bytesHave += pieceSize(this.#deps.shape, piece);
    this.#deps.onVerified(piece);
    // webtorrent tells its peers about the piece after this event.
    if (this.#missing === 0) queueMicrotask(() => this.#deps.onDone());
  }

  #warned(warning: unknown): void {
    const failed = warning instanceof Error ? FAILED_PIECE.exec(warning.message) : null;
    if (failed === null) {
      this.#deps.log.warn('torrent client warns', { warning });
      return;
    }
    const piece = Number(failed[1]);
    const authors = Array.from(this.#sources.get(piece) ?? []);
    this.#sources.delete(piece);
    this.#picker.failed(piece);
    const [author, ...others] = authors;
    if (author !== undefined && others.length === 0) this.#deps.onBadPiece(author);
  }
}
