import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { ConnectionInfo } from './connection-info.ts';
import type { HeldPiece } from './held-piece.ts';
import type { Link } from './link.ts';
import type { TorrentShape } from './metainfo.ts';
import type { Buckets } from './peer-link.ts';
import type { PieceBuffers } from './piece-buffers.ts';
import type { PieceRange } from './piece-range.ts';

export interface PieceSwarmDeps {
  readonly shape: TorrentShape;
  /** Pieces that are fetched without any window: null = all. */
  readonly background: readonly PieceRange[] | null;
  readonly buckets: Buckets;
  /** A checked piece, to be served from. */
  readonly borrow: (piece: number, signal: AbortSignal) => Promise<HeldPiece>;
  /** Checks a piece and puts it on the disk; false = it is wrong. The bytes are left alone and not kept. */
  readonly write: (piece: number, bytes: Uint8Array) => Promise<boolean>;
  /** Memory for pieces as they travel. */
  readonly buffers: PieceBuffers;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly onVerified: (piece: number) => void;
  /** A write failed, or webtorrent gave the torrent up. */
  readonly onFailed: (error: unknown) => void;
  /** A piece that came from this device alone failed its check. */
  readonly onBadPiece: (device: DeviceKey) => void;
  readonly onLinksChanged: () => void;
  /** A connection ended that neither end had a reason to end: the network failed, or the other process. */
  readonly onLost: (device: DeviceKey) => void;
}

/** All admitted connections of one torrent, and which pieces are here, in whichever lane they travel. */
export interface PieceSwarm extends AsyncDisposable {
  readonly links: readonly Link[];
  /** Whether something is left to fetch. */
  readonly wantsAnything: boolean;
  /** Whether somebody waits for some of it. */
  readonly isRead: boolean;
  readonly isComplete: boolean;
  /** In BEP 3 bit order. */
  readonly bitfield: Uint8Array<ArrayBuffer>;
  readonly bytesHave: number;
  /** In bytes per second. */
  readonly rates: { readonly down: number; readonly up: number };
  /** Bytes sent since the start. */
  readonly uploaded: number;
  /** Bytes that the other end of a link is known to hold. */
  bytesOf(link: Link): number;
  isSeed(link: Link): boolean;
  /** Takes over an admitted stream. */
  connect(stream: Duplex, info: ConnectionInfo): void;
  /** Bytes in the torrent's byte space; an empty range drops the reader. */
  setWindow(reader: string, from: number, to: number): void;
  /** Holds back all requests, for example while the disk is full. */
  hold(held: boolean): void;
  /** Once a second. */
  tick(): void;
  /** These pieces turned out not to be on the disk. */
  lost(pieces: readonly number[]): void;
  disconnect(leaves: (link: Link) => boolean): void;
}
