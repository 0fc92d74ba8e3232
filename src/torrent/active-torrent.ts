import type { Duplex } from 'node:stream';
import { hasBit } from '../base/bitfield.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { Scope } from '../base/scope.ts';
import type { FileIdentity, TorrentState } from '../contract/swarm.ts';
import type { Priority } from '../contract/views.ts';
import { DiskWait } from './disk-wait.ts';
import { requireSpaceFor } from './free-space.ts';
import type { HeldTorrent } from './held-torrent.ts';
import { type Metainfo, parseMetainfo, pieceCount } from './metainfo.ts';
import type { Link } from './link.ts';
import type { StoreFault } from './store-fault.ts';
import { PieceStore } from './piece-store.ts';
import { PiecesToCome } from './pieces-to-come.ts';
import type { ActiveTorrentDeps, Appetite, HeldSpec, TorrentChange, TorrentSpec } from './torrent-spec.ts';
import { backgroundOf, filesAreFixed, piecesToCome, startBitfield, withIdentities } from './torrent-spec.ts';
import { torrentPhase } from './torrent-phase.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { openSwarm } from './open-swarm.ts';
import type { PieceSwarm } from './piece-swarm.ts';

/** How often files are looked at (without reading them) while something is wrong. */
const FAULTY_CHECK_MS = 5_000;
const PARTING_MS = 1_000;
/** After so long without a connection a full copy is idle. */
const IDLE_MS = 10_000;
/** Per torrent, and two pieces at least: neighbouring blocks are asked for one after the other. */
const CACHE_BYTES = 4 * 1024 * 1024;

/** One torrent while this process holds it: its files, its peers, and what state both are in. */
export class ActiveTorrent<Spec extends HeldSpec = TorrentSpec> implements HeldTorrent<Spec> {
  readonly spec: Spec;
  readonly metainfo: Metainfo;
  priority: Priority;
  readonly #deps: ActiveTorrentDeps<ActiveTorrent<Spec>, Spec>;
  readonly #scope: Scope;
  readonly #store: PieceStore;
  readonly #disk: DiskWait;
  #started = false;
  #toCome = new PiecesToCome([], new Uint8Array());
  /** null before the start. */
  #swarm: PieceSwarm | null = null;
  /** Since when nobody is connected, monotonic. */
  #quietMs = 0;
  #paused: boolean;
  #fault: StoreFault | null = null;
  #yields = false;
  /** All of it is on the disk for good. */
  #settled = false;
  /** The files that were chosen are on the disk for good. */
  #hasChosen = false;
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
    this.#disk = new DiskWait({ clock: deps.clock, onChange: () => this.#diskChanged() });
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
    const given = startBitfield(this.spec, pieceCount(this.metainfo));
    const isFixed = filesAreFixed(this.spec.segments);
    // Fixed files are never written again, whatever became of them: their loss is a fault, not a gap to fill.
    const pieces = isFixed ? given : await this.#store.resume(given, signal);
    await this.#store.check(signal);
    const toCome = piecesToCome(this.spec, this.metainfo);
    const synced = piecesToCome({ wanted: this.spec.synced ?? [] }, this.metainfo);
    this.#toCome = new PiecesToCome(toCome, pieces, synced);
    this.#hasChosen = !this.#isWanted && this.#toCome.areHere && this.#toCome.earlier.size === 0;
    // The disk may not have taken it, which it says once; what it dropped is shown by the system's memory still.
    const { earlier } = this.#toCome;
    const doubted = new Set(piecesToCome({ wanted: this.spec.doubted ?? [] }, this.metainfo));
    const areAllDoubted = !this.#hasChosen && new PiecesToCome(toCome, given).areHere;
    if (!isFixed) this.#store.doubt(areAllDoubted ? earlier : earlier.intersection(doubted));
    this.#settled = (await this.#openSwarm(pieces)) && isFixed;
    this.#started = true;
    if (this.#toCome.areHere && !this.#isSafe) this.#completeSoon();
    else if (!this.#isSafe && this.spec.background) {
      const lacks = (): number => this.#toCome.lacking * this.metainfo.pieceLength;
      const look = (): Promise<void> => requireSpaceFor(this.spec.segments, lacks());
      this.#scope.spawn('reserve space', (waiting) => this.#disk.forSpace(look, waiting));
    }
    this.#scope.spawn('watch files', (watching) => this.#watchFiles(watching));
    // The pieces come first: what the state means for chosen files depends on them.
    if (!this.#settled && !this.isAsTold) this.#tell({ kind: 'have' });
    this.#tell({ kind: 'state' });
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

  /** Not while there are pieces, nor when all that were given are gone. */
  get isAsTold(): boolean {
    return this.#swarm === null || (this.bytesHave === 0 && this.spec.bitfield === null);
  }

  /** What the files are since this process completed them; null before that. */
  get identities(): FileIdentity[] | null {
    return this.#identities;
  }

  /** Bytes sent since the start. */
  get uploaded(): number {
    return this.#swarm?.uploaded ?? 0;
  }

  get links(): Link[] {
    return (this.#swarm?.links ?? []).filter(({ isStranger }) => !isStranger);
  }

  bytesOf(link: Link): number {
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
      ...this.#deps.more?.(),
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
    this.#swarm?.hold(this.#disk.isFull || isHeld);
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

  disconnect(leaves: (link: Link) => boolean): void {
    this.#swarm?.disconnect(leaves);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ending = this.#scope[Symbol.asyncDispose]();
    await this.#swarm?.[Symbol.asyncDispose]();
    await ending;
    await this.#store[Symbol.asyncDispose]();
  }

  get #phase(): TorrentState['state'] {
    const faults = {
      hasFailed: this.#failure !== null,
      fault: this.#fault?.kind ?? null,
      isDiskFull: this.#disk.isFull,
    };
    const run = { isStarted: this.#started, isPaused: this.#paused, isSettled: this.#settled };
    const lacksWanted = this.#swarm?.wantsAnything !== false || !this.#isSafe;
    return torrentPhase({ ...faults, ...run, lacksWanted, isChosen: !this.#isWanted });
  }

  /** Whether all that is to come is on the disk for good. */
  get #isSafe(): boolean {
    return this.#settled || this.#hasChosen;
  }

  /** Whether all of it is to come. */
  get #isWanted(): boolean {
    return this.spec.wanted === null || this.spec.wanted === undefined;
  }

  /** Gives whether every piece is here. */
  async #openSwarm(pieces: Uint8Array): Promise<boolean> {
    const { signal } = this.#scope;
    const { client, buckets, clock, random, log, pieces: tools, onBadPiece } = this.#deps;
    this.#swarm = await openSwarm({
      client,
      metainfo: this.metainfo,
      bitfield: pieces,
      background: backgroundOf(this.spec, this.metainfo),
      buckets,
      clock,
      random,
      log,
      borrow: (piece, reading) => this.#store.borrow(piece, reading),
      write: (piece, bytes) => this.#disk.persist(() => this.#store.write(piece, bytes, signal), signal),
      buffers: tools.sealed,
      onVerified: (piece) => {
        const isLast = this.#toCome.came(piece);
        // Known in front of the sync, or a process that is killed after one in vain would not know of it.
        this.#tell({ kind: isLast ? 'written' : 'have' });
        if (isLast) this.#completeSoon();
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
    this.#quietMs = clock.monotonic();
    return this.#swarm.isComplete;
  }

  #diskChanged(): void {
    this.#swarm?.hold(this.#disk.isFull || this.#yields);
    this.#tell({ kind: 'state' });
  }

  #completeSoon(): void {
    this.#scope.spawn('complete torrent', async (signal) => {
      try {
        await this.#disk.persist(() => this.#settle(signal), signal);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#fail(error);
      }
    });
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const bad = await this.#store.badPieces(this.#toCome.earlier, signal);
    this.#toCome.compared(bad);
    if (bad.length > 0) {
      this.#deps.log.warn('pieces on the disk are damaged', { pieces: bad.length });
      this.#swarm?.lost(bad);
      this.#tell({ kind: 'have' });
      return;
    }
    if (this.#isWanted) this.#completed(await this.#store.sync(signal));
    else {
      await this.#store.flush(this.#toCome.pieces, (piece) => hasBit(this.bitfield, piece), signal);
      this.#hasChosen = true;
    }
    this.#tell({ kind: 'state' });
    this.#leaveFullCopies();
  }

  #completed(identities: FileIdentity[]): void {
    this.#settled = true;
    this.#identities = identities;
    this.#tell({ kind: 'complete', identities });
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
