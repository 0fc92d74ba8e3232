import type { Duplex } from 'node:stream';
import { hasBit } from '../base/bitfield.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { FileIdentity, Segment, TorrentState } from '../contract/swarm.ts';
import type { TorrentClient } from './client.ts';
import type { FilePool } from './file-pool.ts';
import { requireSpace } from './free-space.ts';
import type { Metainfo } from './metainfo.ts';
import { parseMetainfo, pieceCount } from './metainfo.ts';
import type { Buckets, PeerLink } from './peer-link.ts';
import type { StoreFault } from './piece-store.ts';
import { PieceStore } from './piece-store.ts';
import type { PieceTools } from './seal-piece.ts';
import type { ConnectionInfo } from './torrent-swarm.ts';
import { TorrentSwarm } from './torrent-swarm.ts';

/** How often files are looked at (without reading them) while all is well, and while something is wrong. */
const CHECK_MS = 30_000;
const FAULTY_CHECK_MS = 5_000;
const RETRY_MS = 5_000;
const PARTING_MS = 1_000;
/** Per torrent, and two pieces at least: neighbouring blocks are asked for one after the other. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** What ends by itself: somebody makes room, or plugs the disk in again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['disk-full', 'file-missing', 'file-changed']);

export interface TorrentSpec {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly metainfo: Uint8Array;
  readonly mediaKey: Uint8Array | null;
  readonly segments: readonly Segment[];
  /** null = nothing is on the disk. */
  readonly bitfield: Uint8Array | null;
  readonly paused: boolean;
  readonly background: boolean;
}

export interface ActiveTorrentDeps {
  readonly spec: TorrentSpec;
  readonly client: TorrentClient;
  readonly files: FilePool;
  readonly pieces: PieceTools;
  readonly buckets: Buckets;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly onChange: (torrent: ActiveTorrent, change: TorrentChange) => void;
  readonly onBadPiece: (device: DeviceKey) => void;
}

/** `complete` carries what the files are from now on. */
export type TorrentChange =
  | { readonly kind: 'have' }
  | { readonly kind: 'state' }
  | { readonly kind: 'peers' }
  | { readonly kind: 'lost'; readonly device: DeviceKey }
  | { readonly kind: 'complete'; readonly identities: FileIdentity[] };

/** How much a torrent wants connections: a download asks for them, a full copy only offers itself. */
export type Appetite = 'eager' | 'lazy' | 'none';

/** One torrent of a sphere while this process holds it: its files, its peers, and what state both are in. */
export class ActiveTorrent implements AsyncDisposable {
  readonly spec: TorrentSpec;
  readonly metainfo: Metainfo;
  readonly #deps: ActiveTorrentDeps;
  readonly #scope: Scope;
  readonly #store: PieceStore;
  /** Pieces written by an earlier run: read back once before the download is called complete. */
  readonly #earlier = new Set<number>();
  #swarm: TorrentSwarm | null = null;
  #paused: boolean;
  #fault: StoreFault | null = null;
  #diskFull = false;
  #settled = false;
  #parting = false;
  readonly #fullCopies = new Set<DeviceKey>();
  #identities: FileIdentity[] | null = null;
  #failure: AppError | null = null;

  constructor(deps: ActiveTorrentDeps) {
    this.#deps = deps;
    this.spec = deps.spec;
    this.#paused = deps.spec.paused;
    this.metainfo = parseMetainfo(deps.spec.metainfo, { infoHash: deps.spec.infoHash, sha256: null });
    this.#scope = new Scope({ log: deps.log });
    this.#store = new PieceStore({
      shape: this.metainfo,
      segments: deps.spec.segments,
      mediaKey: deps.spec.mediaKey,
      files: deps.files,
      onFault: (fault) => this.#faulty(fault),
      cacheBytes: Math.max(CACHE_BYTES, 2 * this.metainfo.pieceLength),
      tools: deps.pieces,
    });
  }

  /** Takes connections from now on; nothing is hashed on the way. */
  async start(): Promise<void> {
    const { signal } = this.#scope;
    const bitfield = await this.#startBitfield(signal);
    await this.#store.check(signal);
    for (let piece = 0; piece < pieceCount(this.metainfo); piece += 1)
      if (hasBit(bitfield, piece)) this.#earlier.add(piece);
    const torrent = await this.#deps.client.add({ metainfo: this.spec.metainfo, bitfield });
    const swarm = new TorrentSwarm({
      torrent,
      shape: this.metainfo,
      background: this.spec.background,
      buckets: this.#deps.buckets,
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log,
      borrow: (piece, reading) => this.#store.borrow(piece, reading),
      write: (piece, bytes) => this.#write(piece, bytes, signal),
      buffers: this.#deps.pieces.sealed,
      onVerified: (piece) => {
        this.#earlier.delete(piece);
        this.#tell({ kind: 'have' });
      },
      onDone: () => this.#scope.spawn('complete torrent', (completing) => this.#complete(completing)),
      onFailed: (error) => this.#fail(error),
      onLost: (device) => this.#tell({ kind: 'lost', device }),
      onBadPiece: this.#deps.onBadPiece,
      onLinksChanged: () => {
        this.#leaveFullCopies();
        this.#tell({ kind: 'peers' });
      },
    });
    this.#swarm = swarm;
    if (swarm.isComplete && this.#filesAreFixed) this.#settled = true;
    else if (swarm.isComplete) this.#scope.spawn('complete torrent', (completing) => this.#complete(completing));
    else if (this.spec.background) this.#scope.spawn('reserve space', (waiting) => this.#waitForSpace(waiting));
    this.#scope.spawn('watch files', (watching) => this.#watchFiles(watching));
    this.#tell({ kind: 'state' });
    if (bitfield.some((byte) => byte !== 0)) this.#tell({ kind: 'have' });
  }

  get bitfield(): Uint8Array<ArrayBuffer> {
    return this.#swarm?.bitfield ?? new Uint8Array(Math.ceil(pieceCount(this.metainfo) / 8));
  }

  get bytesHave(): number {
    return this.#swarm?.bytesHave ?? 0;
  }

  /** What the files are since this process completed them; null before that. */
  get identities(): FileIdentity[] | null {
    return this.#identities;
  }

  get links(): PeerLink[] {
    return this.#swarm?.links ?? [];
  }

  bytesOf(link: PeerLink): number {
    return this.#swarm?.bytesOf(link) ?? 0;
  }

  /** Whether admitted devices may connect now. */
  get serves(): boolean {
    return this.#swarm !== null && !this.#paused && this.#fault === null && this.#failure === null;
  }

  get appetite(): Appetite {
    if (!this.serves || this.#swarm === null) return 'none';
    if (this.#swarm.isComplete) return 'lazy';
    return this.#swarm.wantsAnything ? 'eager' : 'none';
  }

  /** Devices that told us that they hold everything, once we do too: neither has anything to call the other for. */
  get fullCopies(): ReadonlySet<DeviceKey> {
    return this.#settled ? this.#fullCopies : new Set();
  }

  get state(): TorrentState {
    const swarm = this.#swarm;
    const rates = swarm?.rates ?? { down: 0, up: 0 };
    const links = this.links;
    return {
      infoHash: this.spec.infoHash,
      state: this.#phase,
      error: this.#failure === null ? null : { code: this.#failure.code, message: this.#failure.message },
      bytesHave: this.bytesHave,
      downBps: Math.round(rates.down),
      upBps: Math.round(rates.up),
      peers: links.length,
      seeds: swarm === null ? 0 : links.filter((link) => swarm.isSeed(link)).length,
    };
  }

  /** Hands an admitted stream over. */
  connect(stream: Duplex, info: ConnectionInfo): void {
    if (!this.serves || this.#swarm === null) {
      stream.destroy();
      return;
    }
    this.#swarm.connect(stream, info);
  }

  setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (paused) this.disconnect(() => true);
    this.#tell({ kind: 'state' });
  }

  setWindow(reader: string, from: number, to: number): void {
    this.#swarm?.setWindow(reader, from, to);
    this.#tell({ kind: 'state' });
  }

  /** Once a second. */
  tick(): void {
    this.#swarm?.tick();
  }

  disconnect(leaves: (link: PeerLink) => boolean): void {
    this.#swarm?.disconnect(leaves);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ending = this.#scope[Symbol.asyncDispose]();
    await this.#swarm?.[Symbol.asyncDispose]();
    await ending;
    await this.#store[Symbol.asyncDispose]();
  }

  get #phase(): TorrentState['state'] {
    if (this.#failure !== null) return 'failed';
    if (this.#fault !== null) return this.#fault.kind;
    if (this.#swarm === null) return 'starting';
    if (this.#paused) return 'paused';
    if (this.#settled) return 'complete';
    return this.#diskFull ? 'disk-full' : 'downloading';
  }

  async #startBitfield(signal: AbortSignal): Promise<Uint8Array> {
    const bytes = Math.ceil(pieceCount(this.metainfo) / 8);
    const given = this.spec.bitfield;
    if (given === null) return new Uint8Array(bytes);
    if (given.length !== bytes)
      throw new AppError('bad-input', 'bitfield has the wrong length', { bytes: given.length });
    const trimmed = Uint8Array.from(given);
    const spare = bytes * 8 - pieceCount(this.metainfo);
    // BEP 3: spare bits are zero.
    trimmed[bytes - 1] = (trimmed[bytes - 1] ?? 0) & (0xff << spare);
    // Fixed files are never written again, whatever became of them: their loss is a fault, not a gap to fill.
    return this.#filesAreFixed ? trimmed : this.#store.resume(trimmed, signal);
  }

  get #filesAreFixed(): boolean {
    return this.spec.segments.every((segment) => segment.kind !== 'file' || segment.identity !== null);
  }

  /** A full or absent disk is waited out with the piece in memory, so that the download goes on by itself. */
  async #write(index: number, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        return await this.#store.write(index, bytes, signal);
      } catch (error) {
        if (!PASSING.has(errorCode(error))) throw error;
        this.#setDiskFull(errorCode(error) === 'disk-full');
      }
      await this.#deps.clock.sleep(RETRY_MS, signal);
      this.#setDiskFull(false);
    }
  }

  async #waitForSpace(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#requireSpace();
        this.#setDiskFull(false);
        return;
      } catch (error) {
        if (errorCode(error) !== 'disk-full') throw error;
        this.#setDiskFull(true);
      }
      await this.#deps.clock.sleep(RETRY_MS, signal);
    }
  }

  async #requireSpace(): Promise<void> {
    const missing = this.metainfo.length - this.bytesHave;
    const files = this.spec.segments.flatMap((segment) => (segment.kind === 'file' ? [segment] : []));
    const stored = files.reduce((bytes, segment) => bytes + segment.length, 0);
    const root = files.find((segment) => segment.root !== null)?.root;
    if (root !== undefined && root !== null) await requireSpace(root, Math.min(missing, stored));
  }

  #setDiskFull(full: boolean): void {
    if (this.#diskFull === full) return;
    this.#diskFull = full;
    this.#swarm?.hold(full);
    this.#tell({ kind: 'state' });
  }

  async #complete(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#settle(signal);
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        if (!PASSING.has(errorCode(error))) {
          this.#fail(error);
          return;
        }
      }
      await this.#deps.clock.sleep(RETRY_MS, signal);
    }
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const bad = await this.#store.badPieces(this.#earlier, signal);
    this.#earlier.clear();
    if (bad.length > 0) {
      this.#deps.log.warn('pieces of an earlier run are damaged', { pieces: bad.length });
      this.#swarm?.lost(bad);
      this.#tell({ kind: 'have' });
      return;
    }
    const identities = await this.#store.sync(signal);
    this.#settled = true;
    this.#identities = identities;
    this.#tell({ kind: 'complete', identities });
    this.#tell({ kind: 'state' });
    this.#leaveFullCopies();
  }

  /** Two full copies have nothing to say to each other; both hear so before they part. */
  #leaveFullCopies(): void {
    const swarm = this.#swarm;
    if (swarm === null || !this.#settled || this.#parting) return;
    const full = swarm.links.filter((link) => swarm.isSeed(link));
    if (full.length === 0) return;
    for (const link of full) this.#fullCopies.add(link.device);
    this.#parting = true;
    this.#scope.spawn('part from full copies', async (signal) => {
      await this.#deps.clock.sleep(PARTING_MS, signal);
      this.#parting = false;
      swarm.disconnect((link) => swarm.isSeed(link));
    });
  }

  async #watchFiles(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(this.#fault === null ? CHECK_MS : FAULTY_CHECK_MS, signal);
      await this.#store.check(signal);
      await this.#heal(signal);
    }
  }

  /** Touched is not changed: what still has its content is served again. */
  async #heal(signal: AbortSignal): Promise<void> {
    if (this.#fault?.kind !== 'changed' || !this.#filesAreFixed) return;
    const identities = await this.#store.heal(signal);
    if (identities === null) return;
    this.#identities = identities;
    this.#tell({ kind: 'complete', identities });
  }

  #faulty(fault: StoreFault | null): void {
    this.#fault = fault;
    if (fault !== null) this.disconnect(() => true);
    if (fault?.kind === 'changed') this.#scope.spawn('compare what was touched', (comparing) => this.#heal(comparing));
    this.#tell({ kind: 'state' });
  }

  #fail(error: unknown): void {
    const code: ErrorCode = errorCode(error);
    this.#failure ??= error instanceof AppError ? error : new AppError(code, 'the torrent failed', {}, error);
    this.disconnect(() => true);
    this.#tell({ kind: 'state' });
  }

  #tell(change: TorrentChange): void {
    if (!this.#scope.signal.aborted) this.#deps.onChange(this, change);
  }
}
