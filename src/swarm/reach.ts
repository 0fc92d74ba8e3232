import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { IceServer, NetworkState, RtcSignal, SwarmEvent, SwarmReach } from '../contract/swarm.ts';
import type { NativeRtc } from '../nat/rtc/native-rtc.ts';
import type { AdmissionDeps, Admitted } from '../torrent/admission.ts';
import { DialOutcomes } from '../torrent/dial-outcomes.ts';
import type { DialOutcome, DialRequest } from '../torrent/dialer.ts';
import { Dialer } from '../torrent/dialer.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import { sphereMark } from '../torrent/sphere-mark.ts';
import type { LanNetwork } from '../torrent/lan-network.ts';
import type { Route } from '../torrent/route.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';
import { Caller } from './caller.ts';
import { hearsRouter, localAddresses } from './candidates.ts';
import { DoorCheck } from './door-check.ts';
import { LanPresence } from './lan-presence.ts';
import type { MayCall } from './may-call.ts';
import { mayCallFrom, mayCallNear } from './may-call.ts';
import { MemberPorts } from './member-ports.ts';
import { MetainfoBringer } from './metainfo-bringer.ts';
import { networkState } from './network-state.ts';
import { NetworkReporter } from './network-reporter.ts';
import { type Admit, PendingStreams } from './pending-streams.ts';
import type { PortMapping } from './port-mapping.ts';
import { ReachTeller } from './reach-teller.ts';
import { RtcLinks } from './rtc-links.ts';
import { SettledLooks } from './settled-looks.ts';
import type { TorrentHost } from './torrent-host.ts';
import { WantsAsker } from './wants-asker.ts';

const TICK_MS = 1_000;
/** While connections are in doubt the router is asked so often whether it still lets members in. */
const CHECK_ROUTER_TICKS = 10;

export interface ReachOptions {
  /** Preferred port, 0 = any. */
  readonly dataPort: number;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  readonly mapPorts: boolean;
  /** Own addresses whose networks may see us. */
  readonly discoverOn: readonly string[];
  /** Listened on as far as the system allows. */
  readonly extraPorts: readonly number[];
  /** Whether a tracker of ours answers. */
  readonly tracker: boolean;
}

export interface ReachDeps {
  /** What there is of that torrent to give to a member of the sphere. Fails with `not-found`. */
  readonly metainfoOf: (sphereId: SphereId, infoHash: InfoHash) => Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly portMapping: PortMapping;
  readonly lanNetwork: LanNetwork;
  /** Fails where there is no WebRTC. */
  readonly loadRtc: () => Promise<NativeRtc>;
  readonly options: ReachOptions;
  readonly admission: AdmissionDeps;
  readonly host: TorrentHost;
  /** Admission of a stream from outside, and whatever it is for. */
  readonly admit: Admit;
  readonly onTracker: (socket: Socket) => void;
  readonly trackerUrl: (endpoint: string) => string;
  readonly setCandidates: (candidates: Extract<SwarmEvent, { kind: 'candidates' }>, isOpenNow: boolean) => void;
  readonly emit: (event: SwarmEvent) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/** Every way in which members and this device reach each other, kept up while the networks change. */
export class Reach implements AsyncDisposable {
  readonly dialer: Dialer;
  readonly caller: Caller;
  readonly doors: DoorCheck;
  /** Whether an endpoint somebody named may be called from here. */
  readonly mayCall: MayCall;
  readonly #deps: ReachDeps;
  readonly #pending: PendingStreams;
  readonly #rtc: RtcLinks;
  readonly #lan: LanPresence;
  readonly #teller: ReachTeller;
  readonly #outcomes = new DialOutcomes();
  readonly #reporter: NetworkReporter;
  readonly #bringer: MetainfoBringer;
  readonly #asker: WantsAsker;
  readonly #settled = new SettledLooks();
  #ports: MemberPorts | null = null;
  #own: ReadonlySet<string> = new Set();
  #local = '';
  #suspects = 0;

  constructor(deps: ReachDeps) {
    this.#deps = deps;
    const { clock, options, admission, host } = deps;
    this.mayCall = mayCallFrom(options.addresses);
    this.#pending = new PendingStreams({ clock, admit: deps.admit });
    this.#teller = new ReachTeller({
      clock,
      tell: deps.emit,
      isAtOurRouter: (endpoint) => this.#ports?.isAtOurRouter(endpoint) ?? false,
    });
    this.#rtc = new RtcLinks({
      ...deps,
      self: admission.self.device,
      pending: this.#pending,
      signal: (sphereId, device, signal) => this.doors.passOn({ kind: 'signal', sphereId, device, signal }),
      isDoubted: (route) => host.isDoubted(route),
      onChange: () => this.dialer.wake(),
    });
    this.#lan = new LanPresence({
      ...deps,
      network: deps.lanNetwork,
      addresses: options.addresses,
      spheres: () => host.spheres.lanSpheres,
      port: () => this.dataPort,
      onPeer: (sphereId, endpoint) => this.#near(sphereId, endpoint),
    });
    this.caller = new Caller({ admission, addresses: options.addresses, rtc: this.#rtc });
    this.doors = this.#createDoorCheck();
    this.dialer = this.#createDialer();
    this.#bringer = new MetainfoBringer({ ...deps, caller: this.caller, metainfo: deps.metainfoOf });
    this.#asker = new WantsAsker({
      ...deps,
      active: () => host.active,
      onWants: (dialled, infoHashes) => {
        const { sphereId, device } = dialled.admitted;
        const here = Array.from(this.#offered(sphereId, device, infoHashes), ({ infoHash }) => infoHash);
        this.dialer.wants(dialled, here);
      },
    });
    this.#reporter = new NetworkReporter({
      clock,
      look: () => this.network,
      tell: (network) => deps.emit({ kind: 'network', network }),
    });
  }

  get dataPort(): number {
    return this.#ports?.dataPort ?? 0;
  }

  get trackerPort(): number {
    return this.#ports?.trackerPort ?? 0;
  }

  async open(): Promise<void> {
    const { options, log, portMapping, onTracker } = this.#deps;
    this.#ports = await MemberPorts.open({
      ...options,
      log,
      portMapping: options.mapPorts ? portMapping : null,
      reachability: this.doors.reachability,
      observed: this.doors.observed,
      pending: this.#pending,
      onTracker: options.tracker ? onTracker : null,
      onChange: () => this.#tellCandidates(),
      onPinhole: () => this.#tellCandidates(true),
    });
  }

  run(): void {
    const { spawn, options } = this.#deps;
    this.#local = localAddresses(options.addresses).join(' ');
    this.#ports?.map();
    this.#tellCandidates();
    this.setDiscovery(options.discoverOn);
    spawn('call members', (signal) => this.dialer.run(signal));
    spawn('watch the network', (signal) => this.#watch(signal));
    // On loopback alone there is nobody to reach by it.
    if (hearsRouter(options.addresses)) spawn('load WebRTC', () => this.#loadRtc());
  }

  setEndpoints(sphereId: SphereId, device: DeviceKey, endpoints: readonly string[], webrtc: boolean): void {
    this.dialer.setEndpoints(sphereId, device, endpoints.filter(this.mayCall), webrtc);
    this.#rtc.renew(sphereId, device);
  }

  found(infoHash: InfoHash, endpoint: string, source: string): void {
    if (!this.mayCall(endpoint)) return;
    this.dialer.found(infoHash, endpoint, source);
    const { host } = this.#deps;
    // Who takes part in one torrent may want others too.
    if (!host.has(infoHash)) return;
    for (const id of spheresOf(host.get(infoHash).spec)) this.dialer.found(sphereMark(id), endpoint, source);
  }

  /** Members, torrents or keys changed. */
  lookAgain(): void {
    const { spheres } = this.#deps.host;
    this.#rtc.prune((device) => spheres.ids.some((sphereId) => spheres.admits(sphereId, device)));
    this.#lan.lookAgain();
    this.dialer.wake();
  }

  forgetSphere(sphereId: SphereId): void {
    this.dialer.forgetSphere(sphereId);
    this.dialer.forgetTorrent(sphereMark(sphereId));
    this.#outcomes.forgetSphere(sphereId);
  }

  /** A device called us for a torrent. */
  answered({ device, sphereId }: Admitted, { path }: Route): void {
    this.#settled.connected(path);
    this.#outcomes.record(sphereId, device, path, 'connected', this.#deps.clock.now());
  }

  setIceServers(servers: readonly IceServer[]): void {
    if (this.#rtc.setIceServers(servers)) this.dialer.forgiveAll();
  }

  signal(sphereId: SphereId, device: DeviceKey, signal: RtcSignal): void {
    if (this.#deps.host.spheres.admits(sphereId, device)) this.#rtc.receive(sphereId, device, signal);
  }

  setDiscovery(addresses: readonly string[]): void {
    this.#lan.setAddresses(hearsRouter(this.#deps.options.addresses) ? addresses : []);
  }

  /** A member's word about an endpoint of ours. */
  reached(word: SwarmReach): void {
    if (!this.#deps.host.spheres.admits(word.sphereId, word.device)) return;
    this.doors.heard(word);
    this.#tellCandidates();
  }

  /** A member fetches these torrents and may not be able to call: those of them that are here are offered at once. */
  fetching(sphereId: SphereId, device: DeviceKey, infoHashes: readonly InfoHash[]): void {
    for (const { infoHash } of this.#offered(sphereId, device, infoHashes)) {
      this.dialer.wanted(sphereId, infoHash, device);
    }
  }

  /** A member asks what this device wants of the sphere. */
  tellWants(stream: Duplex, sphereId: SphereId, signal: AbortSignal): Promise<void> {
    return this.#asker.answer(stream, sphereId, signal);
  }

  /** A member lacks even the metainfo of these torrents: those that are here are brought to it. */
  seeking(sphereId: SphereId, device: DeviceKey, infoHashes: readonly InfoHash[]): void {
    for (const { sphere, infoHash } of this.#offered(sphereId, device, infoHashes)) {
      const told = this.dialer.callees(sphereId).get(device) ?? [];
      const met = Array.from(this.dialer.strangers(sphereId, infoHash)).filter((callee) => callee.device === device);
      const callees = [...told, ...met].filter(({ endpoint }) => !this.#own.has(endpoint));
      this.#bringer.bring({ sphere, device, infoHash, callees });
    }
  }

  networkChanged(): void {
    this.dialer.forgiveAll();
    this.doors.askAgain();
    this.#rtc.restart();
    this.#lan.lookAgain();
    this.#deps.portMapping.checkNow();
    this.#tellCandidates();
  }

  get network(): NetworkState {
    return networkState({
      host: this.#deps.host,
      ports: this.#ports,
      lan: this.#lan,
      rtc: this.#rtc,
      dialer: this.dialer,
      outcomes: this.#outcomes,
      suspects: this.#suspects,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pending.destroyAll();
    this.#rtc[Symbol.dispose]();
    await this.#ports?.[Symbol.asyncDispose]();
  }

  #createDoorCheck(): DoorCheck {
    return new DoorCheck({
      ...this.#deps,
      caller: this.caller,
      teller: this.#teller,
      mayCall: this.mayCall,
      addresses: this.#deps.options.addresses,
      ports: () => this.#ports,
      callees: (sphereId) => this.dialer.callees(sphereId),
    });
  }

  #createDialer(): Dialer {
    const { clock, random, log, host } = this.#deps;
    return new Dialer({
      clock,
      random: () => randomFraction(random),
      log,
      torrents: () => this.#asker.withSpheres(host.dialTorrents()),
      mayCall: (sphereId, device) => host.spheres.admits(sphereId, device),
      isOurs: (endpoint) => this.#own.has(endpoint),
      hasWebRtc: () => this.#rtc.isReady,
      dial: (request, signal) => this.#dial(request, signal),
      onOutcome: (request, outcome) => this.#ended(request, outcome),
      onConnected: (dialled) => {
        if (dialled.admitted.purpose === 'wants') this.#asker.ask(dialled);
        else host.connect(dialled, true);
        this.#settled.connected(dialled.route.path);
      },
    });
  }

  /** Those of the torrents that are here, for a device that may have them. */
  *#offered(sphereId: SphereId, device: DeviceKey, infoHashes: readonly InfoHash[]) {
    const { host } = this.#deps;
    const sphere = host.admittingSphere(sphereId);
    if (sphere === undefined || !host.spheres.admits(sphereId, device)) return;
    for (const infoHash of infoHashes) if (sphere.has(infoHash)) yield { sphere, infoHash };
  }

  #dial(request: DialRequest, signal: AbortSignal): Promise<DialOutcome> {
    const sphere = this.#deps.host.admittingSphere(request.sphereId);
    if (sphere === undefined) return Promise.resolve({ kind: 'refused' });
    const { infoHash, purpose, attempt, isForBetter } = request;
    return this.caller.call({ callee: request, sphere, infoHash, purpose, attempt, isForBetter }, signal);
  }

  #ended(request: DialRequest, outcome: DialOutcome): void {
    const isConnected = outcome.kind === 'connected';
    const device = isConnected ? outcome.dialled.admitted.device : request.device;
    const path = isConnected ? outcome.dialled.route.path : request.path;
    if (device === null) return;
    const nowMs = this.#deps.clock.now();
    this.#outcomes.record(request.sphereId, device, path, outcome.kind, nowMs);
    if (isConnected && path === 'webrtc') this.doors.met(device, outcome.dialled.route);
    // Where another device answers than the one that named the place, that one was not reached.
    if (isConnected && request.device !== null && request.device !== device) {
      this.#outcomes.record(request.sphereId, request.device, request.path, 'refused', nowMs);
    }
    // One attempt of WebRTC is one at all its paths, unless it was for the direct one.
    if (!isConnected && path === 'webrtc' && !request.isForBetter && this.#rtc.servers.turn > 0) {
      this.#outcomes.record(request.sphereId, device, 'turn', outcome.kind, nowMs);
    }
    this.#teller.ended(request, outcome);
  }

  #near(sphereId: SphereId, endpoint: string): void {
    // Who makes ports up crowds out only what the same machine says.
    const isElsewhere = !this.#own.has(endpoint) && mayCallNear(endpoint, this.mayCall);
    if (isElsewhere) this.dialer.near(sphereId, endpoint, parseEndpoint(endpoint)?.host ?? '');
  }

  async #loadRtc(): Promise<void> {
    try {
      this.#rtc.use(await this.#deps.loadRtc());
    } catch (error) {
      // Told to the person who asks; all other paths remain.
      this.#deps.log.info('no WebRTC', { code: errorCode(error) });
      return;
    }
    this.#tellCandidates();
    this.dialer.wake();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, host, options, portMapping } = this.#deps;
    for (let tick = 1; ; tick += 1) {
      await clock.sleep(TICK_MS, signal);
      if (this.#settled.tick()) this.dialer.wake();
      const before = this.#suspects;
      this.#suspects = host.tick();
      if (this.#suspects > before) this.dialer.wake();
      if (this.#suspects > 0 && (before === 0 || tick % CHECK_ROUTER_TICKS === 0)) portMapping.checkNow();
      const local = localAddresses(options.addresses).join(' ');
      if (local !== this.#local) {
        this.#local = local;
        this.doors.forget();
        this.networkChanged();
      }
      this.doors.look();
      if (tick % CHECK_ROUTER_TICKS === 0) this.#tellCandidates();
      this.#reporter.look();
    }
  }

  #tellCandidates(isOpenNow = false): void {
    const ports = this.#ports;
    if (ports === null) return;
    this.#own = ports.own;
    const { endpoints, mapped } = ports;
    const trackers = ports.trackers.map((endpoint) => this.#deps.trackerUrl(endpoint));
    this.#deps.setCandidates({ kind: 'candidates', endpoints, trackers, mapped, webrtc: this.#rtc.isReady }, isOpenNow);
  }
}
