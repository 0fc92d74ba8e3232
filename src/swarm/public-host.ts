import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { randomFraction } from '../base/random.ts';
import { withinTime } from '../base/within-time.ts';
import type { Finding, FoundBy } from '../contract/finding.ts';
import type { RefusedTorrent } from '../contract/swarm.ts';
import { ActiveTorrent } from '../torrent/active-torrent.ts';
import { Bans } from '../torrent/bans.ts';
import { TorrentClient } from '../torrent/client.ts';
import { connectTcp } from '../torrent/connect-tcp.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import type { FilePool } from '../torrent/file-pool.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import type { AddressPolicy } from '../torrent/internet-address.ts';
import type { Buckets } from '../torrent/peer-link.ts';
import { createPieceMemory } from '../torrent/piece-memory.ts';
import type { PieceTools } from '../torrent/seal-piece.ts';
import { PublicAnnouncer } from '../torrent/public-announcer.ts';
import type { PublicMetainfo } from '../torrent/public-metainfo.ts';
import { parsePublicMetainfo } from '../torrent/public-metainfo.ts';
import { pathOf } from '../torrent/route.ts';
import { StrangerDials } from '../torrent/stranger-dials.ts';
import { readWantedHash, strangerAt } from '../torrent/stranger-handshake.ts';
import type { HeldSpec, TorrentChange } from '../torrent/torrent-spec.ts';
import { letFirstGo } from './let-first-go.ts';
import type { PortMapping } from './port-mapping.ts';
import { PublicWays } from './public-ways.ts';
import { StrangerPort } from './stranger-port.ts';

const MOST_LINKS = 200;
const MOST_LINKS_PER_TORRENT = 40;
/** A full copy waits to be called; it calls a few for those whom nobody can call. */
const MOST_LINKS_OF_FULL_COPY = 8;
const MOST_LINKS_OF_ADDRESS = 3;
const MOST_DIALS = 12;
const CONNECT_MS = 8_000;
const HANDSHAKE_MS = 10_000;
const SILENT_MS = 150_000;
const CHECK_MS = 30_000;

const NOTHING_FOUND: FoundBy = { trackers: 0, dht: 0, pex: 0 };

export type PublicTorrent = ActiveTorrent<HeldSpec>;

/** What the public torrents have in common with those of spheres: the computer's disk, threads and line. */
export interface PublicResources extends Pick<PieceTools, 'crypto' | 'tags'> {
  readonly files: FilePool;
  readonly bucketsOf: (infoHash: InfoHash) => Buckets;
}

export interface PublicHostDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Which addresses that trackers name, and which trackers, may be called. */
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  readonly resources: PublicResources;
  /** Whether a torrent is one of a sphere's: it never runs here. */
  readonly isOfSphere: (infoHash: InfoHash) => boolean;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  /** null = no router is asked for anything. */
  readonly portMapping: PortMapping | null;
  readonly onChange: (torrent: PublicTorrent, change: TorrentChange) => void;
  readonly onRemoved: (torrent: PublicTorrent) => void;
}

interface Running {
  readonly torrent: PublicTorrent;
  readonly metainfo: PublicMetainfo;
  readonly dials: StrangerDials;
  /** Announcing, as long as it is not paused. */
  announcing: Scope | null;
  readonly startBytes: number;
}

/**
 * Torrents from elsewhere, which strangers take part in: a second client with a port and a peer id of its own. It knows
 * no sphere, no member and no device key, and nothing of a sphere ever comes here.
 */
export class PublicHost implements AsyncDisposable {
  readonly #deps: PublicHostDeps;
  readonly #client: TorrentClient;
  readonly #running = new Map<InfoHash, Running>();
  readonly #changes = new SerialQueue();
  readonly #scope: Scope;
  readonly #bans = new Bans();
  readonly #announcer: PublicAnnouncer;
  readonly #ways: PublicWays;
  readonly #pieces: PieceTools;
  #port: StrangerPort | null = null;
  #dialling = 0;

  constructor(deps: PublicHostDeps) {
    this.#deps = deps;
    this.#client = new TorrentClient({ log: deps.log });
    this.#scope = new Scope({ log: deps.log });
    const { crypto, tags } = deps.resources;
    this.#pieces = { crypto, ...createPieceMemory(), tags };
    this.#announcer = new PublicAnnouncer({ ...deps, port: () => this.port });
    this.#ways = new PublicWays({ ...deps, port: () => this.port });
  }

  /** How strangers are found beside trackers, from now on. */
  setFinding(finding: Finding): void {
    this.#ways.set(finding);
    this.tick();
  }

  /** How many strangers each way named first; null = no such torrent. */
  foundBy(infoHash: InfoHash): FoundBy | null {
    return this.#ways.foundBy(infoHash);
  }

  /** Of the DHT; 0 while nothing is sought there. */
  get dhtPort(): number {
    return this.#ways.dhtPort;
  }

  /** Where strangers call; 0 while there is nothing they could want. */
  get port(): number {
    return this.#port?.port ?? 0;
  }

  get torrents(): PublicTorrent[] {
    return Array.from(this.#running.values(), ({ torrent }) => torrent);
  }

  find(infoHash: InfoHash): PublicTorrent | undefined {
    return this.#running.get(infoHash)?.torrent;
  }

  /** Replaces a torrent of the same info hash; gives those that were refused. `prepare` comes right before each of the others. */
  async addAll(
    specs: readonly HeldSpec[],
    prepare: (spec: HeldSpec) => void = () => undefined,
  ): Promise<RefusedTorrent[]> {
    const refused: RefusedTorrent[] = [];
    for (const spec of specs) {
      try {
        await this.#changes.run(() => this.#add(spec, prepare));
      } catch (error) {
        const message = error instanceof Error ? error.message : 'unknown';
        refused.push({ infoHash: spec.infoHash, code: errorCode(error), message });
      }
    }
    return refused;
  }

  remove(infoHash: InfoHash): Promise<void> {
    return this.#changes.run(async () => {
      await this.#dispose(infoHash);
      if (this.#running.size === 0) await this.#closePort();
    });
  }

  /** Once a second. */
  tick(): void {
    letFirstGo(this.torrents);
    for (const running of this.#running.values()) {
      running.torrent.tick();
      running.torrent.disconnect((link) => link.silentMs > SILENT_MS);
      this.#announceOrNot(running);
      this.#ways.tick(running.metainfo.infoHash, running.torrent.serves);
      this.#dialMore(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#changes.run(async () => {
      await Promise.all(Array.from(this.#running.keys(), (infoHash) => this.#dispose(infoHash)));
      await this.#closePort();
    });
    await this.#ways[Symbol.asyncDispose]();
    await this.#scope[Symbol.asyncDispose]();
    await this.#client[Symbol.asyncDispose]();
  }

  async #add(spec: HeldSpec, prepare: (spec: HeldSpec) => void): Promise<void> {
    if (this.#deps.isOfSphere(spec.infoHash)) throw new AppError('conflict', 'this torrent is one of a sphere');
    const metainfo = parsePublicMetainfo(spec.metainfo);
    if (metainfo.infoHash !== spec.infoHash) throw new AppError('invalid-torrent', 'another torrent than announced');
    if (spec.mediaKey !== null) throw new AppError('bad-input', 'a public torrent has no key');
    await this.#dispose(spec.infoHash);
    prepare(spec);
    const torrent = this.#create(spec, metainfo);
    const dials = new StrangerDials(this.#deps);
    try {
      await torrent.start();
    } catch (error) {
      await torrent[Symbol.asyncDispose]();
      this.#deps.onRemoved(torrent);
      throw error;
    }
    const running: Running = { torrent, metainfo, dials, announcing: null, startBytes: torrent.bytesHave };
    this.#running.set(spec.infoHash, running);
    await this.#openPort();
    this.#ways.add(metainfo, (endpoint, source) => this.#found(running, endpoint, source));
    this.tick();
  }

  #create(spec: HeldSpec, metainfo: PublicMetainfo): PublicTorrent {
    const { clock, random, log, onChange, resources } = this.#deps;
    return new ActiveTorrent<HeldSpec>({
      spec,
      metainfo,
      client: this.#client,
      clock,
      random: () => randomFraction(random),
      log,
      checkMs: () => CHECK_MS,
      files: resources.files,
      pieces: this.#pieces,
      buckets: resources.bucketsOf(spec.infoHash),
      more: () => ({ foundBy: this.foundBy(spec.infoHash) ?? NOTHING_FOUND }),
      onChange,
      onBadPiece: (stranger) => this.#badPiece(stranger),
    });
  }

  async #dispose(infoHash: InfoHash): Promise<void> {
    const running = this.#running.get(infoHash);
    if (running === undefined) return;
    this.#running.delete(infoHash);
    await running.announcing?.[Symbol.asyncDispose]();
    await this.#ways.remove(infoHash);
    await running.torrent[Symbol.asyncDispose]();
    this.#deps.onRemoved(running.torrent);
  }

  async #openPort(): Promise<void> {
    this.#port ??= await StrangerPort.open({
      ...this.#deps,
      onStream: (stream, address, host) => this.#answer(stream, address, host),
    });
  }

  async #closePort(): Promise<void> {
    const port = this.#port;
    this.#port = null;
    await port?.[Symbol.asyncDispose]();
  }

  /** Who pauses takes no part: its trackers hear so. */
  #announceOrNot(running: Running): void {
    const { torrent, metainfo } = running;
    if (torrent.serves === (running.announcing !== null)) return;
    if (!torrent.serves) {
      const ending = running.announcing;
      running.announcing = null;
      this.#scope.spawn('stop announcing', async () => ending?.[Symbol.asyncDispose]());
      return;
    }
    running.announcing = new Scope({ log: this.#deps.log });
    running.announcing.spawn('announce', (signal) =>
      this.#announcer.run(
        {
          infoHash: metainfo.infoHash,
          trackers: metainfo.trackers,
          counts: () => ({
            uploaded: torrent.uploaded,
            downloaded: Math.max(0, torrent.bytesHave - running.startBytes),
            left: torrent.length - torrent.bytesHave,
          }),
          onPeer: (endpoint) => this.#ways.found(metainfo.infoHash, 'trackers', endpoint),
        },
        signal,
      ),
    );
  }

  /** Whether it was not known before. */
  #found(running: Running, endpoint: string, source: string): boolean {
    const isNew = running.dials.add(endpoint, source);
    this.#dialMore(running);
    return isNew;
  }

  #dialMore({ torrent, dials }: Running): void {
    if (torrent.appetite === 'none') return;
    const most = torrent.appetite === 'eager' ? MOST_LINKS_PER_TORRENT : MOST_LINKS_OF_FULL_COPY;
    const room = Math.min(most - torrent.links.length, MOST_LINKS - this.#linkCount, MOST_DIALS - this.#dialling);
    for (const endpoint of dials.take(room)) {
      this.#dialling += 1;
      this.#scope.spawn('call a stranger', (signal) => this.#dial(torrent, dials, endpoint, signal));
    }
  }

  async #dial(torrent: PublicTorrent, dials: StrangerDials, address: string, signal: AbortSignal): Promise<void> {
    const { clock, addresses } = this.#deps;
    const target = parseEndpoint(address) ?? { host: '', port: 0 };
    let stream: Duplex;
    try {
      const limit = { clock, ms: CONNECT_MS };
      stream = await withinTime(limit, signal, (limited) => connectTcp(target, addresses, limited));
    } catch {
      // Nothing answers there: it is tried again, ever more rarely.
      dials.ended(address, false);
      return;
    } finally {
      this.#dialling -= 1;
    }
    stream.once('close', () => dials.ended(address, true));
    this.#join(torrent, stream, { address, host: target.host, weDialled: true });
  }

  /** A stranger called. Whoever wants what is not here gets no answer at all. */
  async #answer(stream: Duplex, address: string, host: string): Promise<void> {
    const limit = { clock: this.#deps.clock, ms: HANDSHAKE_MS };
    const wanted = await withinTime(limit, this.#scope.signal, (limited) => readWantedHash(stream, limited));
    const torrent = this.find(wanted);
    if (torrent === undefined) throw new AppError('not-found', 'no such public torrent');
    this.#join(torrent, stream, { address, host, weDialled: false });
  }

  #join(torrent: PublicTorrent, stream: Duplex, from: { address: string; host: string; weDialled: boolean }): void {
    const device = strangerAt(from.host);
    const { links } = torrent;
    const ofAddress = links.filter((link) => link.device === device).length;
    const isFull = links.length >= MOST_LINKS_PER_TORRENT || this.#linkCount >= MOST_LINKS;
    if (isFull || ofAddress >= MOST_LINKS_OF_ADDRESS || this.#bans.has(device)) {
      stream.destroy();
      return;
    }
    const route = { path: pathOf(from.address), address: from.address };
    const exchange = this.#ways.exchange(torrent.spec.infoHash, stream, from);
    torrent.connect(stream, { device, route, weDialled: from.weDialled, isForeign: true, ...exchange });
  }

  get #linkCount(): number {
    return this.torrents.reduce((count, { links }) => count + links.length, 0);
  }

  #badPiece(stranger: DeviceKey): void {
    if (!this.#bans.badPiece(stranger)) return;
    for (const torrent of this.torrents) torrent.disconnect((link) => link.device === stranger);
  }
}
