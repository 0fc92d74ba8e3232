import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { EpochKeys, RefusedTorrent } from '../contract/swarm.ts';
import type { LimitsView } from '../contract/views.ts';
import { ActiveTorrent } from '../torrent/active-torrent.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import type { Announcement } from '../torrent/announcer.ts';
import { Bans } from '../torrent/bans.ts';
import type { TorrentClient } from '../torrent/client.ts';
import type { Dialled, DialTorrent } from '../torrent/dialer.ts';
import type { Route } from '../torrent/route.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import { IdleCopy } from '../torrent/idle-copy.ts';
import type { Learnt, TorrentChange, TorrentSpec } from '../torrent/torrent-spec.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';
import { FilePool } from '../torrent/file-pool.ts';
import type { Buckets } from '../torrent/peer-link.ts';
import { createPieceMemory } from '../torrent/piece-memory.ts';
import type { PieceTags } from '../torrent/piece-tags.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { PieceThreads } from '../torrent/piece-threads.ts';
import type { PieceTools } from '../torrent/seal-piece.ts';
import { callsFor } from './calls-for.ts';
import { FileWatch } from './file-watch.ts';
import { letFirstGo } from './let-first-go.ts';
import { LimitTree } from './limit-tree.ts';
import { LinkGate } from './link-gate.ts';
import type { PublicResources } from './public-host.ts';
import { SphereRegistry } from './sphere-registry.ts';
import { TrackerHashes } from './tracker-hashes.ts';

const SILENT_MS = 150_000;
/** Files of a torrent in use are looked at so often while all is well, and not more than so many torrents in a second. */
const CHECK_MS = 30_000;
const CHECKS_PER_SECOND = 10;
/** Somewhat less than the ticks that make a connection suspect. */
const DOUBTED_MS = 2_500;

export interface TorrentHostDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly client: TorrentClient;
  readonly device: DeviceKey;
  readonly limits: LimitsView;
  readonly tags: PieceTags;
  /** For folders of many small files; every file goes the usual way when left out. */
  readonly small?: ManyFiles;
  /** Whether the metainfo of a torrent that is not here is looked for. */
  readonly seeks: (sphereId: SphereId, infoHash: InfoHash) => boolean;
  /** Whether the metainfo of a torrent that never comes here is given to members of the sphere. */
  readonly offers: (sphereId: SphereId, infoHash: InfoHash) => boolean;
  readonly onChange: (torrent: HeldTorrent, change: TorrentChange) => void;
  readonly onRemoved: (torrent: HeldTorrent) => void;
}

/** The torrents of all spheres, and who may connect for which. */
export class TorrentHost implements AsyncDisposable {
  readonly spheres: SphereRegistry;
  readonly limits: LimitTree;
  readonly #deps: TorrentHostDeps;
  readonly #torrents = new Map<InfoHash, HeldTorrent>();
  /** Those of them that are in use: all but full copies that nobody is connected for. */
  readonly #active = new Map<InfoHash, ActiveTorrent>();
  readonly #waking = new Map<InfoHash, Promise<void>>();
  readonly #watch: FileWatch;
  readonly #gate: LinkGate;
  readonly #trackerHashes = new TrackerHashes((spec) => this.spheres.trackerHashes(spheresOf(spec), spec.infoHash));
  readonly #bans = new Bans();
  readonly #files = new FilePool();
  readonly #threads = new PieceThreads();
  readonly #pieces: PieceTools;
  readonly #changes = new SerialQueue();

  constructor(deps: TorrentHostDeps) {
    this.#deps = deps;
    const { tags, small } = deps;
    this.#pieces = { crypto: this.#threads, ...createPieceMemory(), tags, ...(small === undefined ? {} : { small }) };
    this.limits = new LimitTree(deps);
    this.spheres = new SphereRegistry({ isBanned: (device) => this.isBanned(device) });
    this.#gate = new LinkGate({ device: deps.device, torrents: () => this.#active.values() });
    this.#watch = new FileWatch({
      clock: deps.clock,
      copies: () => this.torrents.filter((torrent) => torrent instanceof IdleCopy),
      onChanged: (copy) => void this.#wake(copy),
    });
  }

  get torrents(): IteratorObject<HeldTorrent> {
    return this.#torrents.values();
  }

  /** What torrents outside of spheres use too. */
  get resources(): PublicResources {
    const bucketsOf = (infoHash: InfoHash): Buckets => this.limits.bucketsOf(infoHash);
    return { files: this.#files, crypto: this.#threads, tags: this.#deps.tags, bucketsOf };
  }

  has(infoHash: InfoHash): boolean {
    return this.#torrents.has(infoHash);
  }

  /** Those that are in use. */
  get active(): Iterable<ActiveTorrent> {
    return this.#active.values();
  }

  /** Notices that files change or go away. */
  watchFiles(signal: AbortSignal): Promise<void> {
    return this.#watch.run(signal);
  }

  setSphere(sphereId: SphereId, epochs: readonly EpochKeys[], devices: readonly DeviceKey[]): void {
    this.spheres.set(sphereId, epochs, devices);
    this.#disconnectStrangers(sphereId);
    this.#trackerHashes.setAll(this.#torrents.values());
  }

  async removeSphere(sphereId: SphereId): Promise<void> {
    this.spheres.delete(sphereId);
    this.limits.forgetSphere(sphereId);
    this.#disconnectStrangers(sphereId);
    this.#trackerHashes.setAll(this.#torrents.values());
    // All queued now, in front of what is added when the sphere comes back meanwhile.
    await Promise.all(this.#ofSphere(sphereId).map((torrent) => this.remove(torrent.spec.infoHash)));
  }

  /** Replaces a torrent of the same info hash. */
  add(spec: TorrentSpec): Promise<void> {
    return this.#changes.run(async () => {
      await this.#dispose(spec.infoHash);
      this.limits.place(spec.infoHash, spec.sphereId, spec.limits);
      if (!this.#holdIdle(spec)) await this.#start(spec);
    });
  }

  /** Gives those that were refused. */
  async addAll(specs: readonly TorrentSpec[]): Promise<RefusedTorrent[]> {
    const refused: RefusedTorrent[] = [];
    const refuse = ({ infoHash }: TorrentSpec, error: unknown): void => {
      const message = error instanceof Error ? error.message : 'unknown';
      refused.push({ infoHash, code: errorCode(error), message });
    };
    await Promise.all(specs.map((spec) => this.add(spec).catch((error: unknown) => refuse(spec, error))));
    return refused;
  }

  remove(infoHash: InfoHash): Promise<void> {
    return this.#changes.run(async () => {
      // What is not here may be a public torrent, whose limits hold.
      if (!this.#torrents.has(infoHash)) return;
      await this.#dispose(infoHash);
      this.limits.forget(infoHash);
    });
  }

  /** Whether it is not encrypted, and served now. */
  servesPlain(infoHash: InfoHash): boolean {
    const torrent = this.#torrents.get(infoHash);
    return torrent?.spec.mediaKey === null && torrent.serves;
  }

  /** What strangers may be handed to, in use from now on; undefined for everything that is encrypted or not served. */
  async usePlain(infoHash: InfoHash): Promise<ActiveTorrent | undefined> {
    const torrent = this.#torrents.get(infoHash);
    if (torrent === undefined || !this.servesPlain(infoHash)) return undefined;
    if (!(torrent instanceof ActiveTorrent)) await this.#wake(torrent);
    return this.servesPlain(infoHash) ? this.#active.get(infoHash) : undefined;
  }

  /** Fails with `not-found`. */
  get(infoHash: InfoHash): HeldTorrent {
    const torrent = this.#torrents.get(infoHash);
    if (torrent === undefined) throw new AppError('not-found', 'no such torrent', { infoHash });
    return torrent;
  }

  admittingSphere(sphereId: SphereId): AdmittingSphere | undefined {
    const has = (infoHash: InfoHash): boolean => {
      const torrent = this.#torrents.get(infoHash);
      const isServed = torrent !== undefined && spheresOf(torrent.spec).includes(sphereId) && torrent.serves;
      return isServed || this.#deps.offers(sphereId, infoHash);
    };
    return this.spheres.admitting(sphereId, { has, seeks: (infoHash) => this.#deps.seeks(sphereId, infoHash) });
  }

  get admittingSpheres(): AdmittingSphere[] {
    return this.spheres.ids.flatMap((id) => this.admittingSphere(id) ?? []);
  }

  /** Hands an admitted stream to its torrent, or ends it when it is one too many (`LinkGate`). */
  connect(dialled: Dialled, weDialled: boolean): void {
    const { stream, admitted } = dialled;
    const torrent = this.#torrents.get(admitted.infoHash);
    if (torrent === undefined || !this.spheres.admits(admitted.sphereId, admitted.device)) {
      stream.destroy();
      return;
    }
    if (!(torrent instanceof ActiveTorrent)) {
      void this.#connectWoken(torrent, dialled, weDialled);
      return;
    }
    this.#gate.connect(torrent, dialled, weDialled);
  }

  *dialTorrents(): Generator<DialTorrent> {
    for (const torrent of this.#torrents.values()) yield* callsFor(torrent);
  }

  *announcements(): Generator<Announcement> {
    for (const torrent of this.#torrents.values()) {
      if (!torrent.serves) continue;
      const { infoHash } = torrent.spec;
      const bytesLeft = torrent.length - torrent.bytesHave;
      const trackers = this.spheres.trackers(...spheresOf(torrent.spec));
      yield { infoHash, hashes: this.#trackerHashes.of(infoHash), trackers, bytesLeft };
    }
  }

  /** The torrent behind a hash that a tracker is asked for. */
  byTrackerHash(hash: string): InfoHash | undefined {
    return this.#trackerHashes.torrent(hash);
  }

  /** Once a second: lets every connection say that it is there, and gives how many are in doubt now. */
  tick(): number {
    letFirstGo(Array.from(this.#active.values()));
    let suspects = 0;
    for (const torrent of Array.from(this.#active.values())) {
      torrent.tick();
      const idle = torrent.idle;
      if (idle !== null) void this.#rest(torrent, idle);
      const { links } = torrent;
      const good = new Set(links.filter((link) => !link.isSuspect).map(({ device }) => device));
      const doubted = links.filter((link) => link.isSuspect);
      // What was asked for on it is asked for again on the other.
      torrent.disconnect((link) => link.isSuspect && good.has(link.device));
      suspects += doubted.filter(({ device }) => !good.has(device)).length;
    }
    return suspects;
  }

  /** Whether answers are overdue that should have come this way, and nothing else comes either. */
  isDoubted(route: Route): boolean {
    const links = Array.from(this.#active.values()).flatMap((one) => one.links.filter((link) => link.route === route));
    return links.some((link) => link.isSuspect) && links.every((link) => link.silentMs > DOUBTED_MS);
  }

  /** Ends connections whose other end has fallen silent. */
  sweep(): void {
    for (const torrent of this.#active.values()) torrent.disconnect((link) => link.silentMs > SILENT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#waking.values());
    await this.#changes.run(async () => {
      await Promise.all(Array.from(this.#torrents.keys(), (infoHash) => this.#dispose(infoHash)));
    });
    this.limits[Symbol.dispose]();
    await this.#files[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
  }

  /** Who is a member of no sphere any more that the torrent is served in. */
  #disconnectStrangers(sphereId: SphereId): void {
    for (const torrent of this.#active.values()) {
      const ids = spheresOf(torrent.spec);
      if (!ids.includes(sphereId)) continue;
      const isAdmitted = (device: DeviceKey): boolean => ids.some((id) => this.spheres.admits(id, device));
      torrent.disconnect(({ device, isStranger }) => !isStranger && !isAdmitted(device));
    }
  }

  #ofSphere(sphereId: SphereId): HeldTorrent[] {
    return Array.from(this.#torrents.values()).filter((torrent) => torrent.spec.sphereId === sphereId);
  }

  async #dispose(infoHash: InfoHash): Promise<void> {
    const torrent = this.#torrents.get(infoHash);
    if (torrent === undefined) return;
    this.#torrents.delete(infoHash);
    this.#active.delete(infoHash);
    this.#trackerHashes.delete(infoHash);
    await torrent[Symbol.asyncDispose]();
    this.#deps.onRemoved(torrent);
  }

  /** Whether the torrent is a full copy, which needs nothing until somebody comes. */
  #holdIdle(spec: TorrentSpec, learnt?: Learnt): boolean {
    const onChange = this.#deps.onChange;
    const copy = IdleCopy.of({ spec, onChange, ...(learnt === undefined ? {} : { learnt }) });
    if (copy === null) return false;
    this.#torrents.set(spec.infoHash, copy);
    if (learnt === undefined) {
      this.#trackerHashes.add(copy.spec);
      this.#watch.add(copy);
      onChange(copy, { kind: 'state' });
    }
    return true;
  }

  async #start(spec: TorrentSpec): Promise<void> {
    const torrent = this.#create(spec);
    this.#torrents.set(spec.infoHash, torrent);
    this.#active.set(spec.infoHash, torrent);
    this.#trackerHashes.add(torrent.spec);
    try {
      await torrent.start();
    } catch (error) {
      await this.#dispose(spec.infoHash);
      this.limits.forget(spec.infoHash);
      throw error;
    }
  }

  #create(spec: TorrentSpec, learnt?: Learnt): ActiveTorrent {
    const { clock, random, log, client, onChange } = this.#deps;
    return new ActiveTorrent({
      spec,
      ...(learnt === undefined ? {} : { learnt }),
      client,
      clock,
      random,
      log,
      checkMs: () => Math.max(CHECK_MS, (this.#active.size * 1000) / CHECKS_PER_SECOND),
      files: this.#files,
      pieces: this.#pieces,
      buckets: this.limits.bucketsOf(spec.infoHash),
      onChange,
      onBadPiece: (device) => this.#badPiece(device),
    });
  }

  /** The copy is used from now on. Resolves at once for one that is not held any more. */
  #wake(copy: HeldTorrent): Promise<void> {
    const { infoHash } = copy.spec;
    const waking = this.#waking.get(infoHash) ?? this.#activate(copy).finally(() => void this.#waking.delete(infoHash));
    this.#waking.set(infoHash, waking);
    return waking;
  }

  async #activate(copy: HeldTorrent): Promise<void> {
    const { infoHash } = copy.spec;
    if (this.#torrents.get(infoHash) !== copy) return;
    const torrent = this.#create(copy.spec, copy);
    try {
      await torrent.start();
    } catch (error) {
      this.#deps.log.warn('a full copy cannot be used', { error });
      await torrent[Symbol.asyncDispose]();
      return;
    }
    if (this.#torrents.get(infoHash) !== copy) {
      await torrent[Symbol.asyncDispose]();
      return;
    }
    torrent.setPaused(copy.spec.paused);
    this.#torrents.set(infoHash, torrent);
    this.#active.set(infoHash, torrent);
  }

  /** Nobody is connected for a full copy any more. */
  async #rest(torrent: ActiveTorrent, idle: TorrentSpec): Promise<void> {
    this.#active.delete(idle.infoHash);
    this.#holdIdle(idle, torrent);
    try {
      await torrent[Symbol.asyncDispose]();
    } catch (error) {
      this.#deps.log.warn('a full copy does not close', { error });
    }
  }

  async #connectWoken(copy: HeldTorrent, dialled: Dialled, weDialled: boolean): Promise<void> {
    const { stream } = dialled;
    if (!copy.serves) {
      stream.destroy();
      return;
    }
    // It may break before anybody else listens.
    stream.on('error', () => undefined);
    await this.#wake(copy);
    const isActive = this.#active.has(copy.spec.infoHash);
    if (isActive && !stream.destroyed) this.connect(dialled, weDialled);
    else stream.destroy();
  }

  isBanned(device: DeviceKey): boolean {
    return this.#bans.has(device);
  }

  #badPiece(device: DeviceKey): void {
    if (!this.#bans.badPiece(device)) return;
    this.#deps.log.warn('device banned: it sent wrong data', { device });
    for (const torrent of this.#active.values()) torrent.disconnect((link) => link.device === device);
  }
}
