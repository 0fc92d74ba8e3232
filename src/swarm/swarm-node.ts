import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { withinTime } from '../base/within-time.ts';
import type { EpochKeys, RefusedTorrent, SwarmEvent } from '../contract/swarm.ts';
import type { LimitsView } from '../contract/views.ts';
import type { NativeRtc } from '../nat/rtc/native-rtc.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import type { HeldSpec, TorrentChange, TorrentSpec } from '../torrent/torrent-spec.ts';
import type { AdmissionDeps, Self } from '../torrent/admission.ts';
import { answerCall } from '../torrent/admission.ts';
import { Announcer, isTrackerUrl } from '../torrent/announcer.ts';
import { TorrentClient } from '../torrent/client.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import type { LanNetwork } from '../torrent/lan-network.ts';
import type { PieceTags } from '../torrent/piece-tags.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import { systemResolve } from '../torrent/guarded-lookup.ts';
import type { AddressPolicy } from '../torrent/internet-address.ts';
import { isInternetAddress } from '../torrent/internet-address.ts';
import { sendMetainfo } from '../torrent/metainfo-exchange.ts';
import type { RoutedStream } from '../torrent/route.ts';
import { sendSeenAddress } from '../torrent/seen-address.ts';
import { Tracker } from '../torrent/tracker.ts';
import type { EventStream } from './event-stream.ts';
import { FetchTeller } from './fetch-teller.ts';
import { fetchMetainfo } from './metainfo-fetcher.ts';
import { OfferedMetainfos } from './offered-metainfos.ts';
import { OpenedHost } from './opened-host.ts';
import { PublicHost } from './public-host.ts';
import { SoughtMetainfos } from './sought-metainfos.ts';
import type { PortMapping } from './port-mapping.ts';
import type { ReachOptions } from './reach.ts';
import { Reach } from './reach.ts';
import { Reporter } from './reporter.ts';
import { TorrentHost } from './torrent-host.ts';

const METAINFO_TIMEOUT_MS = 30_000;
const SWEEP_MS = 30_000;
const PUBLIC_TICK_MS = 1_000;
/** After the start, which it would make longer: whoever comes then does not wait for it. */
const LOAD_CLIENT_MS = 1_500;

export interface NodeDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly stream: EventStream<SwarmEvent>;
  readonly tags: PieceTags;
  /** For folders of many small files; every file goes the usual way when left out. */
  readonly small?: ManyFiles;
  readonly portMapping: PortMapping;
  readonly lanNetwork: LanNetwork;
  /** Fails where there is no WebRTC. */
  readonly loadRtc: () => Promise<NativeRtc>;
  /** Which addresses may be called for public torrents: those of the internet when left out. */
  readonly strangerPolicy?: AddressPolicy;
  /** How names of trackers become addresses: the system's way when left out. */
  readonly resolve?: Resolve;
}

type PublicSpec = Omit<HeldSpec, 'mediaKey'> & { readonly listedIn: SphereId | null };

export interface NodeOptions extends ReachOptions {
  readonly self: Self;
  readonly limits: LimitsView;
}

/** This device in the swarms of its spheres: reaching members, announcing and telling what happens. */
export class SwarmNode implements AsyncDisposable {
  readonly host: TorrentHost;
  /** Torrents from elsewhere. */
  readonly public: PublicHost;
  /** Plain items that the person opened to other programs. */
  readonly opened: OpenedHost;
  readonly offered = new OfferedMetainfos();
  readonly reporter: Reporter;
  readonly reach: Reach;
  readonly #deps: NodeDeps;
  readonly #options: NodeOptions;
  readonly #admission: AdmissionDeps;
  readonly #client: TorrentClient;
  readonly #stack = new AsyncDisposableStack();
  readonly #scope: Scope;
  readonly #announcer: Announcer;
  readonly #tracker: Tracker;
  readonly #sought = new SoughtMetainfos();
  readonly #teller: FetchTeller;

  private constructor(deps: NodeDeps, options: NodeOptions) {
    this.#deps = deps;
    this.#options = options;
    const { clock, random, log, stream, tags, small } = deps;
    this.#admission = { clock, random, self: options.self };
    this.#client = this.#stack.use(new TorrentClient({ log }));
    this.host = this.#stack.use(
      new TorrentHost({
        clock,
        random: () => randomFraction(random),
        log,
        client: this.#client,
        device: options.self.device,
        limits: options.limits,
        tags,
        ...(small === undefined ? {} : { small }),
        seeks: (sphereId, infoHash) => this.#sought.has(sphereId, infoHash),
        offers: (sphereId, infoHash) => this.offered.get(sphereId, infoHash) !== undefined,
        onChange: (torrent, change) => this.#changed(torrent, change),
        onRemoved: (torrent) => {
          this.reporter.forget(torrent);
          this.#teller.forget(torrent.spec);
          this.reach.dialer.forgetTorrent(torrent.spec.infoHash);
        },
      }),
    );
    this.public = this.#stack.use(this.#createPublicHost());
    this.opened = this.#stack.use(this.#createOpenedHost());
    this.reporter = new Reporter({
      clock,
      stream,
      torrents: () => [...this.host.torrents, ...this.public.torrents],
      active: () => [...this.host.active, ...this.public.torrents],
      ofMembers: () => this.host.active,
      port: () => this.reach.dataPort,
      network: () => this.reach.network,
      spawn: (name, task) => this.#scope.spawn(name, task),
    });
    this.#teller = new FetchTeller({
      clock,
      tell: (sphereId, infoHashes) => stream.emit({ kind: 'fetching', sphereId, infoHashes, metainfo: false }),
      spawn: (name, task) => this.#scope.spawn(name, task),
    });
    this.#tracker = this.#stack.use(this.#createTracker());
    this.reach = this.#stack.use(this.#createReach());
    this.#announcer = new Announcer({
      clock,
      random,
      log,
      port: () => this.reach.dataPort,
      announcements: () => this.host.announcements(),
      onPeer: (infoHash, endpoint, tracker) => this.reach.found(infoHash, endpoint, tracker),
    });
    // Disposed first: nothing runs any more when the parts it uses go away.
    this.#scope = this.#stack.use(new Scope({ log }));
  }

  static async start(deps: NodeDeps, options: NodeOptions): Promise<SwarmNode> {
    const node = new SwarmNode(deps, options);
    try {
      await node.reach.open();
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
    node.#run();
    return node;
  }

  /** A torrent of a sphere or a public one. Fails with `not-found`. */
  torrent(infoHash: InfoHash): HeldTorrent<HeldSpec> {
    return this.public.find(infoHash) ?? this.host.get(infoHash);
  }

  /** What a sphere shares is no public torrent, whatever it was before. */
  async addAll(specs: readonly TorrentSpec[]): Promise<RefusedTorrent[]> {
    for (const { infoHash } of specs) if (this.public.find(infoHash) !== undefined) await this.public.remove(infoHash);
    return this.host.addAll(specs);
  }

  /** Of the sphere that lists a public torrent nothing counts but its limits. */
  addPublic(told: readonly PublicSpec[]): Promise<RefusedTorrent[]> {
    const lists = new Map<InfoHash, SphereId | null>();
    const specs = told.map(({ listedIn, ...spec }) => {
      lists.set(spec.infoHash, listedIn);
      return { ...spec, mediaKey: null };
    });
    return this.public.addAll(specs, ({ infoHash, limits }) => {
      this.host.limits.place(infoHash, lists.get(infoHash) ?? null, limits);
    });
  }

  async remove(infoHash: InfoHash): Promise<void> {
    await this.public.remove(infoHash);
    await this.host.remove(infoHash);
  }

  get ports(): { dataPort: number; trackerPort: number } {
    return { dataPort: this.reach.dataPort, trackerPort: this.reach.trackerPort };
  }

  setEndpoints(told: {
    sphereId: SphereId;
    device: DeviceKey;
    endpoints: readonly string[];
    trackers: readonly string[];
    webrtc: boolean;
  }): void {
    const { self, tracker } = this.#options;
    if (told.device === self.device) return;
    // Without a tracker of ours those of others are told nothing either.
    const trackers = tracker ? told.trackers.filter((url) => isTrackerUrl(url, this.reach.mayCall)) : [];
    this.host.spheres.setTrackers(told.sphereId, told.device, trackers);
    this.reach.setEndpoints(told.sphereId, told.device, told.endpoints, told.webrtc);
    this.#announcer.wake();
  }

  fetchMetainfo(
    request: { sphereId: SphereId; infoHash: InfoHash; sha256: Uint8Array; maxBytes: number },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const sphere = this.host.admittingSphere(request.sphereId);
    if (sphere === undefined) return Promise.reject(new AppError('not-found', 'no such sphere'));
    const { sphereId, infoHash } = request;
    const { dialer, caller } = this.reach;
    const told = dialer.callees(sphereId);
    const strangers = dialer.strangers(sphereId, infoHash);
    const { clock, log, stream } = this.#deps;
    const askToCall = (): void => stream.emit({ kind: 'fetching', sphereId, infoHashes: [infoHash], metainfo: true });
    const deps = { caller, sought: this.#sought, askToCall, clock, log };
    return fetchMetainfo({ ...request, sphere, told, strangers }, deps, signal);
  }

  /** Members or keys changed: calls and announces are looked at again, and who has gone is forgotten. */
  setSphere(sphereId: SphereId, epochs: readonly EpochKeys[], devices: readonly DeviceKey[]): void {
    this.host.setSphere(sphereId, epochs, devices);
    this.reach.dialer.keepOnly(sphereId, devices);
    this.reach.lookAgain();
    this.#announcer.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #changed(torrent: HeldTorrent, change: TorrentChange): void {
    this.reporter.changed(torrent, change);
    if (change.kind !== 'have') this.#teller.look(torrent);
    const { dialer } = this.reach;
    if (change.kind === 'lost') {
      dialer.lost(torrent.spec.infoHash, change.device);
      // The router may have forgotten our ports; of two connections that were made at once one ends, and nothing is wrong.
      if (!torrent.links.some(({ device }) => device === change.device)) this.#deps.portMapping.checkNow();
    } else if (change.kind === 'peers') dialer.wake();
    else if (change.kind === 'state') {
      dialer.wake();
      this.#announcer.wake();
    }
  }

  #createPublicHost(): PublicHost {
    const { portMapping } = this.#deps;
    const { addresses, mapPorts } = this.#options;
    return new PublicHost({
      ...this.#deps,
      policy: this.#deps.strangerPolicy ?? isInternetAddress,
      resolve: this.#deps.resolve ?? systemResolve,
      resources: this.host.resources,
      isOfSphere: (infoHash) => this.host.has(infoHash),
      addresses,
      portMapping: mapPorts ? portMapping : null,
      onChange: (torrent, change) => this.reporter.changed(torrent, change),
      onRemoved: (torrent) => {
        this.reporter.forget(torrent);
        this.host.limits.forget(torrent.spec.infoHash);
      },
    });
  }

  #createOpenedHost(): OpenedHost {
    const { addresses, mapPorts } = this.#options;
    return new OpenedHost({
      ...this.#deps,
      addresses,
      portMapping: mapPorts ? this.#deps.portMapping : null,
      isServed: (infoHash) => this.host.servesPlain(infoHash),
      isBanned: (stranger) => this.host.isBanned(stranger),
      use: (infoHash) => this.host.usePlain(infoHash),
    });
  }

  #metainfoOf(sphereId: SphereId, infoHash: InfoHash): Uint8Array {
    return this.offered.get(sphereId, infoHash) ?? this.host.get(infoHash).spec.metainfo;
  }

  #createTracker(): Tracker {
    const { clock, random, log } = this.#deps;
    return new Tracker({
      clock,
      random,
      log,
      knows: (hash) => this.host.byTrackerHash(hash) !== undefined,
      onPeer: (hash, endpoint) => {
        const infoHash = this.host.byTrackerHash(hash);
        if (infoHash !== undefined) this.reach.found(infoHash, endpoint, 'own tracker');
      },
    });
  }

  #createReach(): Reach {
    const { stream } = this.#deps;
    return new Reach({
      ...this.#deps,
      options: this.#options,
      admission: this.#admission,
      host: this.host,
      admit: (routed, onAdmitted) => this.#answer(routed, onAdmitted),
      metainfoOf: (sphereId, infoHash) => this.#metainfoOf(sphereId, infoHash),
      onTracker: (socket) => this.#tracker.accept(socket),
      trackerUrl: (endpoint) => this.#tracker.urlFor(endpoint),
      setCandidates: (...told) => this.reporter.setCandidates(...told),
      emit: (event) => stream.emit(event),
      spawn: (name, task) => this.#scope.spawn(name, task),
    });
  }

  #run(): void {
    const { clock } = this.#deps;
    this.reach.run();
    this.#scope.spawn('announce', (signal) => this.#announcer.run(signal));
    this.#scope.spawn('watch files', (signal) => this.host.watchFiles(signal));
    this.#scope.spawn('public torrents', async (signal) => {
      for (;;) {
        await clock.sleep(PUBLIC_TICK_MS, signal);
        this.public.tick();
      }
    });
    this.#scope.spawn('report', (signal) => this.reporter.run(signal));
    this.#scope.spawn('load the torrent client', async (signal) => {
      await clock.sleep(LOAD_CLIENT_MS, signal);
      await this.#client.load();
    });
    this.#scope.spawn('sweep', async (signal) => {
      for (;;) {
        await clock.sleep(SWEEP_MS, signal);
        this.host.sweep();
        this.#tracker.sweep();
      }
    });
  }

  /** A stream from outside: admission, then whatever it is for. */
  async #answer(routed: RoutedStream, onAdmitted: () => void): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#scope;
    const { stream, device } = routed;
    try {
      const admitted = await answerCall(stream, this.host.admittingSpheres, this.#admission, signal);
      if (device !== null && device !== admitted.device) throw new AppError('not-allowed', 'another device calls');
      onAdmitted();
      this.reach.doors.came(admitted.device, routed.route);
      if (admitted.purpose === 'swarm') {
        this.reach.answered(admitted, routed.route);
        this.host.connect({ ...routed, admitted }, false);
        return;
      }
      if (admitted.purpose === 'wants') {
        await this.reach.tellWants(stream, admitted.sphereId, signal);
        return;
      }
      const limit = { clock, ms: METAINFO_TIMEOUT_MS };
      await withinTime(limit, signal, async (limited) => {
        if (admitted.purpose === 'probe') await sendSeenAddress(stream, routed.route.address, limited);
        else if (admitted.purpose === 'metainfo') {
          await sendMetainfo(stream, this.#metainfoOf(admitted.sphereId, admitted.infoHash), limited);
        } else {
          await this.#sought.take(admitted, stream, limited);
          stream.destroy();
        }
      });
    } catch (error) {
      log.debug('stream refused', { code: errorCode(error) });
      throw error;
    }
  }
}
