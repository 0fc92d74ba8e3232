import type { Duplex } from 'node:stream';
import { hasBit } from '../base/bitfield.ts';
import { AppError, type ErrorCode, errorCode } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { Scope } from '../base/scope.ts';
import type { FileIdentity, TorrentState } from '../contract/swarm.ts';
import type { Priority } from '../contract/views.ts';
import { requireSpaceFor } from './free-space.ts';
import type { HeldTorrent } from './held-torrent.ts';
import { type Metainfo, parseMetainfo, pieceCount } from './metainfo.ts';
import type { PeerLink } from './peer-link.ts';
import type { StoreFault } from './store-fault.ts';
import { PieceStore } from './piece-store.ts';
import type { ActiveTorrentDeps, Appetite, HeldSpec, TorrentChange, TorrentSpec } from './torrent-spec.ts';
import { backgroundOf, filesAreFixed, startBitfield, wantedBytes, withIdentities } from './torrent-spec.ts';
import { torrentPhase } from './torrent-phase.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { TorrentSwarm } from './torrent-swarm.ts';

/** How often files are looked at (without reading them) while something is wrong. */
const FAULTY_CHECK_MS = 5_000;
const RETRY_MS = 5_000;
const PARTING_MS = 1_000;
/** After so long without a connection a full copy is idle. */
const IDLE_MS = 10_000;
/** Per torrent, and two pieces at least: neighbouring blocks are asked for one after the other. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** What ends by itself: somebody makes room, or plugs the disk in again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['disk-full', 'file-missing', 'file-changed']);

/** One torrent while this process holds it: its files, its peers, and what state both are in. */
export class ActiveTorrent<Spec extends HeldSpec = TorrentSpec> implements HeldTorrent<Spec> {
  readonly spec: Spec;
  readonly metainfo: Metainfo;
  readonly isAsTold = false;
  priority: Priority;
  readonly #deps: ActiveTorrentDeps<ActiveTorrent<Spec>, Spec>;
  readonly #scope: Scope;
  readonly #store: PieceStore;
  /** Pieces written by an earlier run: read back once before the download is called complete. */
  readonly #earlier = new Set<number>();
  #started = false;
  /** null before the start. */
  #swarm: TorrentSwarm | null = null;
  /** Since when nobody is connected, monotonic. */
  #quietMs = 0;
  #paused: boolean;
  #fault: StoreFault | null = null;
  #diskFull = false;
  #yields = false;
  #settled = false;
  #parting = false;
  #isHealing = false;
  /** A state is to be told once it is known what became of the files. */
  #isUntold = false;
  readonly #fullCopies: Set<DeviceKey>;
  #identities: FileIdentity[] | null;
  #failure: AppError | null = null;

  constructor(deps: ActiveTorrentDeps<ActiveTorrent<Spec>, Spec>) {
    this.#deps = deps;
    this.spec = deps.spec;
    this.#paused = deps.spec.paused;
    this.priority = deps.spec.priority ?? 'normal';
    this.metainfo = deps.metainfo ?? parseMetainfo(deps.spec.metainfo, { infoHash: deps.spec.infoHash, sha256: null });
    this.#fullCopies = new Set(deps.learnt?.fullCopies);
    this.#identities = deps.learnt?.identities ?? null;
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
    const pieces = await this.#startBitfield(signal);
    await this.#store.check(signal);
    const count = pieceCount(this.metainfo);
    for (let piece = 0; piece < count; piece += 1) if (hasBit(pieces, piece)) this.#earlier.add(piece);
    const haveSome = this.#earlier.size > 0;
    this.#settled = this.#earlier.size === count && filesAreFixed(this.spec.segments);
    if (this.#settled) this.#earlier.clear();
    await this.#openSwarm(pieces);
    this.#started = true;
    if (this.#isWanted && this.#earlier.size === count) {
      this.#scope.spawn('complete torrent', (completing) => this.#complete(completing));
    } else if (!this.#settled && this.spec.background) {
      this.#scope.spawn('reserve space', (waiting) => this.#waitForSpace(waiting));
    }
    this.#scope.spawn('watch files', (watching) => this.#watchFiles(watching));
    this.#tell({ kind: 'state' });
    if (haveSome && !this.#settled) this.#tell({ kind: 'have' });
  }

  /** What is to be held in its place once nobody uses it: a full copy that is well; null for all others. */
  get idle(): Spec | null {
    const swarm = this.#swarm;
    const isWell = this.#settled && this.#fault === null && this.#failure === null;
    if (swarm === null || !isWell || swarm.links.length > 0) return null;
    if (this.#deps.clock.monotonic() - this.#quietMs < IDLE_MS) return null;
    const segments = withIdentities(this.spec.segments, this.#identities ?? []);
    return { ...this.spec, bitfield: swarm.bitfield, segments, paused: this.#paused };
  }

  get length(): number {
    return this.metainfo.length;
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

  /** Bytes sent since the start. */
  get uploaded(): number {
    return this.#swarm?.uploaded ?? 0;
  }

  get links(): PeerLink[] {
    return (this.#swarm?.links ?? []).filter(({ isStranger }) => !isStranger);
  }

  bytesOf(link: PeerLink): number {
    return this.#swarm?.bytesOf(link) ?? 0;
  }

  /** Whether admitted devices may connect now. */
  get serves(): boolean {
    return this.#started && !this.#paused && this.#fault === null && this.#failure === null;
  }

  get appetite(): Appetite {
    if (!this.serves) return 'none';
    if (this.#swarm?.isComplete === true) return 'lazy';
    return this.#swarm?.wantsAnything === true ? 'eager' : 'none';
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
      peers: swarm?.links.length ?? 0,
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

  setPriority(priority: Priority): void {
    this.priority = priority;
  }

  /** Whether bytes come as fast as the line takes them, so that others may have to wait. */
  get isMoving(): boolean {
    return this.appetite === 'eager' && (this.#swarm?.rates.down ?? 0) > 0 && !this.#deps.buckets.isHeldBack;
  }

  /** Asks for nothing while others of more importance are moving; what a reader waits for is always asked for. */
  setYields(yields: boolean): void {
    const isHeld = yields && this.#swarm?.isRead !== true;
    if (this.#yields === isHeld) return;
    this.#yields = isHeld;
    this.#swarm?.hold(this.#diskFull || isHeld);
  }

  setWindow(reader: string, from: number, to: number): void {
    this.#swarm?.setWindow(reader, from, to);
    this.#tell({ kind: 'state' });
  }

  /** Once a second. */
  tick(): void {
    this.#swarm?.tick();
    if ((this.#swarm?.links.length ?? 0) > 0) this.#quietMs = this.#deps.clock.monotonic();
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
    const faults = { hasFailed: this.#failure !== null, fault: this.#fault?.kind ?? null, isDiskFull: this.#diskFull };
    const run = { isStarted: this.#started, isPaused: this.#paused, isSettled: this.#settled };
    const lacksWanted = this.#swarm?.wantsAnything !== false;
    return torrentPhase({ ...faults, ...run, lacksWanted, isChosen: !this.#isWanted });
  }

  /** Whether all of it is to come. */
  get #isWanted(): boolean {
    return this.spec.wanted === null || this.spec.wanted === undefined;
  }

  async #openSwarm(pieces: Uint8Array): Promise<void> {
    const { signal } = this.#scope;
    const { client, buckets, clock, random, log, pieces: tools, onBadPiece } = this.#deps;
    const torrent = await client.add({ metainfo: this.metainfo, bitfield: pieces });
    this.#quietMs = clock.monotonic();
    this.#swarm = new TorrentSwarm({
      torrent,
      shape: this.metainfo,
      background: backgroundOf(this.spec, this.metainfo),
      buckets,
      clock,
      random,
      log,
      borrow: (piece, reading) => this.#store.borrow(piece, reading),
      write: (piece, bytes) => this.#persist(() => this.#store.write(piece, bytes, signal), signal),
      buffers: tools.sealed,
      onVerified: (piece) => {
        this.#earlier.delete(piece);
        this.#tell({ kind: 'have' });
      },
      onDone: () => {
        if (this.#isWanted) this.#scope.spawn('complete torrent', (completing) => this.#complete(completing));
      },
      onFailed: (error) => this.#fail(error),
      onLost: (device) => this.#tell({ kind: 'lost', device }),
      onBadPiece,
      onLinksChanged: () => {
        this.#quietMs = clock.monotonic();
        this.#leaveFullCopies();
        this.#tell({ kind: 'peers' });
      },
    });
  }

  async #startBitfield(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const given = startBitfield(this.spec, pieceCount(this.metainfo));
    // Fixed files are never written again, whatever became of them: their loss is a fault, not a gap to fill.
    return filesAreFixed(this.spec.segments) ? given : this.#store.resume(given, signal);
  }

  /** A full or absent disk is waited out with the work in hand, so that the download goes on by itself. */
  async #persist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await work();
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
        await requireSpaceFor(this.spec.segments, wantedBytes(this.spec, this.metainfo) - this.bytesHave);
        return this.#setDiskFull(false);
      } catch (error) {
        if (errorCode(error) !== 'disk-full') throw error;
        this.#setDiskFull(true);
      }
      await this.#deps.clock.sleep(RETRY_MS, signal);
    }
  }

  #setDiskFull(full: boolean): void {
    if (this.#diskFull === full) return;
    this.#diskFull = full;
    this.#swarm?.hold(full || this.#yields);
    this.#tell({ kind: 'state' });
  }

  async #complete(signal: AbortSignal): Promise<void> {
    try {
      await this.#persist(() => this.#settle(signal), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#fail(error);
    }
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const bad = await this.#store.badPieces(this.#earlier, signal);
    this.#earlier.clear();
    if (bad.length > 0) {
      this.#deps.log.warn('pieces on the disk are damaged', { pieces: bad.length });
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
    for (const { device, isStranger } of full) if (!isStranger) this.#fullCopies.add(device);
    this.#parting = true;
    this.#scope.spawn('part from full copies', async (signal) => {
      await this.#deps.clock.sleep(PARTING_MS, signal);
      this.#parting = false;
      swarm.disconnect((link) => swarm.isSeed(link));
    });
  }

  async #watchFiles(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(this.#fault === null ? this.#deps.checkMs() : FAULTY_CHECK_MS, signal);
      await this.#store.check(signal);
      await this.#heal(signal);
    }
  }

  /** Touched is not changed: what still has its content is served again, and meanwhile no change is told. One at a time. */
  async #heal(signal: AbortSignal): Promise<void> {
    if (this.#isHealing || this.#fault?.kind !== 'changed' || !filesAreFixed(this.spec.segments)) return;
    this.#isHealing = true;
    try {
      const identities = await this.#store.heal(signal);
      if (identities === null) return;
      this.#identities = identities;
      this.#tell({ kind: 'complete', identities });
      this.#isUntold = true;
    } finally {
      this.#isHealing = false;
      if (this.#isUntold) this.#tell({ kind: 'state' });
    }
  }

  #faulty(fault: StoreFault | null): void {
    this.#fault = fault;
    if (fault !== null) this.disconnect(() => true);
    if (fault?.kind === 'changed') this.#scope.spawn('compare what was touched', (signal) => this.#heal(signal));
    this.#tell({ kind: 'state' });
  }

  #fail(error: unknown): void {
    const failure = error instanceof AppError ? error : new AppError(errorCode(error), 'the torrent failed', {}, error);
    this.#failure ??= failure;
    this.disconnect(() => true);
    this.#tell({ kind: 'state' });
  }

  #tell(change: TorrentChange): void {
    const isUnknown = change.kind === 'state' && this.#isHealing;
    if (change.kind === 'state') this.#isUntold = isUnknown;
    if (!isUnknown && !this.#scope.signal.aborted) this.#deps.onChange(this, change);
  }
}
