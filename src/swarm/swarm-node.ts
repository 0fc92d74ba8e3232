import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type { LimitsView } from '../contract/views.ts';
import type { AdmissionDeps, Self } from '../torrent/admission.ts';
import { answerCall } from '../torrent/admission.ts';
import { Announcer } from '../torrent/announcer.ts';
import { TorrentClient } from '../torrent/client.ts';
import type { DialOutcome, DialRequest } from '../torrent/dialer.ts';
import { Dialer } from '../torrent/dialer.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import { sendMetainfo } from '../torrent/metainfo-exchange.ts';
import type { RoutedStream } from '../torrent/route.ts';
import { Tracker } from '../torrent/tracker.ts';
import { withinTime } from '../base/within-time.ts';
import { Caller } from './caller.ts';
import type { EventStream } from './event-stream.ts';
import { MemberPorts } from './member-ports.ts';
import { fetchMetainfo } from './metainfo-fetcher.ts';
import { PendingStreams } from './pending-streams.ts';
import type { PortMapping } from './port-mapping.ts';
import { Reachability } from './reachability.ts';
import { Reporter } from './reporter.ts';
import { TorrentHost } from './torrent-host.ts';

const METAINFO_TIMEOUT_MS = 30_000;
const CANDIDATES_MS = 10_000;
const SWEEP_MS = 30_000;

export interface NodeDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly stream: EventStream<SwarmEvent>;
  readonly portMapping: PortMapping;
}

export interface NodeOptions {
  readonly self: Self;
  /** Preferred port, 0 = any. */
  readonly dataPort: number;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  readonly mapPorts: boolean;
  /** Listened on as far as the system allows. */
  readonly extraPorts: readonly number[];
  readonly limits: LimitsView;
}

/** This device in the swarms of its spheres: listening, calling, announcing and telling what happens. */
export class SwarmNode implements AsyncDisposable {
  readonly host: TorrentHost;
  readonly reporter: Reporter;
  readonly #deps: NodeDeps;
  readonly #options: NodeOptions;
  readonly #admission: AdmissionDeps;
  readonly #stack = new AsyncDisposableStack();
  readonly #scope: Scope;
  readonly #dialer: Dialer;
  readonly #announcer: Announcer;
  readonly #tracker: Tracker;
  readonly #caller: Caller;
  readonly #reachability: Reachability;
  #ports: MemberPorts | null = null;
  #ownEndpoints: ReadonlySet<string> = new Set();

  private constructor(deps: NodeDeps, options: NodeOptions, client: TorrentClient) {
    this.#deps = deps;
    this.#options = options;
    const { clock, random, log } = deps;
    this.#admission = { clock, random, self: options.self };
    this.#stack.use(client);
    this.#reachability = new Reachability({ clock });
    this.host = this.#stack.use(
      new TorrentHost({
        clock,
        random: () => randomFraction(random),
        log,
        client,
        device: options.self.device,
        limits: options.limits,
        onChange: (torrent, change) => {
          this.reporter.changed(torrent, change);
          if (change.kind === 'peers') this.#dialer.wake();
          else if (change.kind === 'state') this.lookAgain();
        },
        onRemoved: (torrent) => {
          this.reporter.forget(torrent);
          this.#dialer.forgetTorrent(torrent.spec.infoHash);
        },
      }),
    );
    this.reporter = new Reporter({
      clock,
      stream: deps.stream,
      torrents: () => this.host.torrents,
      port: () => this.ports.dataPort,
    });
    this.#caller = new Caller({ admission: this.#admission, addresses: options.addresses });
    this.#dialer = this.#createDialer();
    this.#announcer = new Announcer({
      clock,
      random,
      log,
      port: () => this.ports.dataPort,
      announcements: () => this.host.announcements(),
      onPeer: (infoHash, endpoint, tracker) => this.#found(infoHash, endpoint, tracker),
    });
    this.#tracker = new Tracker({
      clock,
      random,
      log,
      knows: (hash) => this.host.byTrackerHash(hash) !== undefined,
      onPeer: (hash, endpoint) => {
        const infoHash = this.host.byTrackerHash(hash);
        if (infoHash !== undefined) this.#found(infoHash, endpoint, 'own tracker');
      },
    });
    this.#stack.use(this.#tracker);
    // Disposed first: nothing runs any more when the parts it uses go away.
    this.#scope = this.#stack.use(new Scope({ log }));
  }

  static async start(deps: NodeDeps, options: NodeOptions): Promise<SwarmNode> {
    const node = new SwarmNode(deps, options, await TorrentClient.open({ log: deps.log }));
    try {
      await node.#listen();
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
    node.#run();
    return node;
  }

  get ports(): { dataPort: number; trackerPort: number } {
    return { dataPort: this.#ports?.dataPort ?? 0, trackerPort: this.#ports?.trackerPort ?? 0 };
  }

  setEndpoints(
    sphereId: SphereId,
    device: Self['device'],
    endpoints: readonly string[],
    trackers: readonly string[],
  ): void {
    if (device === this.#options.self.device) return;
    const usable = endpoints.filter((endpoint) => parseEndpoint(endpoint) !== undefined);
    this.host.spheres.setTrackers(sphereId, device, trackers);
    this.#dialer.setEndpoints(sphereId, device, usable);
    this.#announcer.wake();
  }

  forgetSphere(sphereId: SphereId): void {
    this.#dialer.forgetSphere(sphereId);
  }

  fetchMetainfo(
    request: { sphereId: SphereId; infoHash: InfoHash; sha256: Uint8Array; maxBytes: number },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const sphere = this.host.admittingSphere(request.sphereId);
    if (sphere === undefined) return Promise.reject(new AppError('not-found', 'no such sphere'));
    const members = this.#dialer.endpointsOf(request.sphereId);
    const { clock, log } = this.#deps;
    return fetchMetainfo({ ...request, sphere, members }, { caller: this.#caller, clock, log }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #createDialer(): Dialer {
    return new Dialer({
      clock: this.#deps.clock,
      random: () => randomFraction(this.#deps.random),
      log: this.#deps.log,
      torrents: () => this.host.dialTorrents(),
      mayCall: (sphereId, device) => this.host.spheres.admits(sphereId, device),
      isOurs: (endpoint) => this.#ownEndpoints.has(endpoint),
      dial: (request, signal) => this.#dial(request, signal),
      onConnected: (dialled) => this.host.connect(dialled, true),
    });
  }

  #dial({ sphereId, infoHash, endpoint, attempt }: DialRequest, signal: AbortSignal): Promise<DialOutcome> {
    const sphere = this.host.admittingSphere(sphereId);
    if (sphere === undefined) return Promise.resolve({ kind: 'refused' });
    return this.#caller.call({ endpoint, sphere, infoHash, purpose: 'swarm', attempt }, signal);
  }

  async #listen(): Promise<void> {
    const { addresses, dataPort, extraPorts, mapPorts } = this.#options;
    const pending = new PendingStreams({ admit: (routed) => this.#answer(routed) });
    this.#stack.defer(() => pending.destroyAll());
    const ports = await MemberPorts.open({
      log: this.#deps.log,
      portMapping: mapPorts ? this.#deps.portMapping : null,
      reachability: this.#reachability,
      addresses,
      dataPort,
      extraPorts,
      pending,
      onTracker: (socket) => this.#tracker.accept(socket),
      onChange: () => this.#tellCandidates(),
    });
    this.#ports = this.#stack.use(ports);
  }

  #run(): void {
    const { clock } = this.#deps;
    this.#ports?.map();
    this.#tellCandidates();
    this.#scope.spawn('call members', (signal) => this.#dialer.run(signal));
    this.#scope.spawn('announce', (signal) => this.#announcer.run(signal));
    this.#scope.spawn('report', (signal) => this.reporter.run(signal));
    this.#scope.spawn('sweep', async (signal) => {
      for (;;) {
        await clock.sleep(SWEEP_MS, signal);
        this.host.sweep();
        this.#tracker.sweep();
      }
    });
    this.#scope.spawn('watch addresses', async (signal) => {
      for (;;) {
        await clock.sleep(CANDIDATES_MS, signal);
        this.#tellCandidates();
      }
    });
  }

  /** A stream from outside: admission, then whatever it is for. */
  async #answer({ stream, route }: RoutedStream): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#scope;
    try {
      const admitted = await answerCall(stream, this.host.admittingSpheres, this.#admission, signal);
      if (admitted.purpose === 'swarm') {
        this.host.connect({ stream, route, admitted }, false);
        return;
      }
      const { metainfo } = this.host.get(admitted.infoHash).spec;
      const limit = { clock, ms: METAINFO_TIMEOUT_MS };
      await withinTime(limit, signal, (limited) => sendMetainfo(stream, metainfo, limited));
    } catch (error) {
      log.debug('stream refused', { code: errorCode(error) });
      throw error;
    }
  }

  #tellCandidates(): void {
    const ports = this.#ports;
    if (ports === null) return;
    this.#ownEndpoints = ports.own;
    const trackers = ports.trackers.map((endpoint) => this.#tracker.urlFor(endpoint));
    const { endpoints, mapped } = ports;
    this.reporter.setCandidates({ kind: 'candidates', endpoints, trackers, mapped, webrtc: false });
  }

  #found(infoHash: InfoHash, endpoint: string, source: string): void {
    if (parseEndpoint(endpoint) !== undefined) this.#dialer.found(infoHash, endpoint, source);
  }

  /** Members, torrents or keys changed: calls and announces are looked at again. */
  lookAgain(): void {
    this.#dialer.wake();
    this.#announcer.wake();
  }
}
