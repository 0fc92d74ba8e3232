import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { IceServer, RtcSignal } from '../contract/swarm.ts';
import { chooseIceServers, withoutRelays } from '../nat/rtc/ice-servers.ts';
import type { NativeRtc } from '../nat/rtc/native-rtc.ts';
import { RtcLink } from '../nat/rtc/rtc-link.ts';
import type { Route, RoutedStream } from '../torrent/route.ts';
import type { RtcCall, RtcOpener } from './caller.ts';
import type { PendingStreams } from './pending-streams.ts';

/** As the `mid` of an offer: the connection there is goes on, because the new one may come to nothing. */
const BESIDE = 'beside';
/** Of each device: a session is tried once in a minute at most, and seldom comes to nothing. */
const BESIDES = { burst: 4, intervalMs: 60_000 };

export interface RtcLinksDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly self: DeviceKey;
  readonly pending: PendingStreams;
  /** Brings a signal to a device by way of a sphere that both are in. */
  readonly signal: (sphereId: SphereId, device: DeviceKey, signal: RtcSignal) => void;
  /** Whether nothing comes over this way although something is waited for. */
  readonly isDoubted: (route: Route) => boolean;
  /** A connection was made or lost, or took another path. */
  readonly onChange: () => void;
}

/** The way over a link, for as long as somebody holds one of its streams. */
class RtcRoute implements Route {
  path: Route['path'] = 'webrtc';
  address = '';
}

interface Entry {
  readonly link: RtcLink;
  readonly route: RtcRoute;
  /** The sphere that signals go by: the one last used by either side. */
  sphereId: SphereId;
  /** Tried beside a relay that serves meanwhile, so it is to be direct. */
  isBeside: boolean;
}

/**
 * WebRTC to every device that is called by it: one connection each, streams over it are admitted like all others. Beside
 * one over a relay a direct one is tried; it takes its place as soon as it has a stream.
 */
export class RtcLinks implements RtcOpener, Disposable {
  readonly #deps: RtcLinksDeps;
  readonly #links = new Map<DeviceKey, Entry>();
  /** Direct ones that are tried. */
  readonly #beside = new Map<DeviceKey, Entry>();
  /** Those over relays that have been replaced, until their streams have ended. */
  readonly #replaced = new Map<Entry, DeviceKey>();
  readonly #besides: RateLimit;
  #native: NativeRtc | null = null;
  #servers: readonly IceServer[] = [];

  constructor(deps: RtcLinksDeps) {
    this.#deps = deps;
    this.#besides = new RateLimit({ ...deps, ...BESIDES });
  }

  get isReady(): boolean {
    return this.#native !== null;
  }

  /** Without it WebRTC is unavailable. */
  use(native: NativeRtc): void {
    this.#native = native;
  }

  /** Whether they are others than before; attempts that were begun without them come to nothing. */
  setIceServers(servers: readonly IceServer[]): boolean {
    const isNew = JSON.stringify(servers) !== JSON.stringify(this.#servers);
    this.#servers = servers;
    if (isNew) this.restart();
    return isNew;
  }

  /** How many servers of each kind are of use. */
  get servers(): { stun: number; turn: number } {
    const { usable } = chooseIceServers(this.#servers);
    const turn = usable.filter(({ relayType }) => relayType !== undefined).length;
    return { stun: usable.length - turn, turn };
  }

  /** A connection that is in doubt is replaced by a new one. */
  async open({ sphereId, device, isForBetter }: RtcCall, signal: AbortSignal): Promise<RoutedStream> {
    this.#dropDoubted(device);
    if (isForBetter && this.#isRelayed(device)) return await this.#openBeside(sphereId, device, signal);
    const { link, route } = this.#entryIn(this.#links, sphereId, device);
    return { stream: await link.open(signal), route, device };
  }

  /** A signal of a device that the sphere admits. */
  receive(sphereId: SphereId, device: DeviceKey, signal: RtcSignal): void {
    if (this.#native === null) return;
    const isBeside = signal.kind === 'offer' && signal.mid === BESIDE && this.#isConnected(device);
    // Each session that is tried costs memory, and who asks for it loses nothing.
    if (isBeside && !this.#beside.has(device) && !this.#besides.take(device)) return;
    const entry = this.#entryIn(isBeside ? this.#beside : this.#links, sphereId, device);
    entry.link.receive(signal);
    if (signal.kind === 'offer') return;
    // Each takes what belongs to its session.
    for (const other of this.#entriesOf(device)) if (other !== entry) other.link.receive(signal);
  }

  /** The network or what it offers is another: attempts begun before come to nothing. */
  restart(): void {
    for (const device of Array.from(this.#beside.keys())) this.#dropBeside(device);
    for (const [device, { link }] of Array.from(this.#links)) if (link.state.kind === 'connecting') this.#drop(device);
  }

  /** The device has just come: what was said to it before, it has not heard. */
  renew(sphereId: SphereId, device: DeviceKey): void {
    const entry = this.#links.get(device);
    if (entry === undefined) return;
    entry.sphereId = sphereId;
    entry.link.renew();
  }

  /** Ends connections to devices that are no members of anything any more. */
  prune(isMember: (device: DeviceKey) => boolean): void {
    for (const device of this.#devices) if (!isMember(device)) this.#dropAll(device);
  }

  [Symbol.dispose](): void {
    for (const device of this.#devices) this.#dropAll(device);
    this.#native = null;
  }

  get #devices(): Set<DeviceKey> {
    return new Set([...this.#links.keys(), ...this.#beside.keys(), ...this.#replaced.values()]);
  }

  #entriesOf(device: DeviceKey): Entry[] {
    const replaced = Array.from(this.#replaced).flatMap(([entry, whose]) => (whose === device ? [entry] : []));
    return [this.#links.get(device), this.#beside.get(device), ...replaced].filter((entry) => entry !== undefined);
  }

  #isConnected(device: DeviceKey): boolean {
    return this.#links.get(device)?.link.state.kind === 'connected';
  }

  #isRelayed(device: DeviceKey): boolean {
    return this.#isConnected(device) && this.#links.get(device)?.route.path === 'turn';
  }

  async #openBeside(sphereId: SphereId, device: DeviceKey, signal: AbortSignal): Promise<RoutedStream> {
    const entry = this.#entryIn(this.#beside, sphereId, device);
    const stream = await entry.link.open(signal);
    // Who does not know the word starts anew with a relay.
    if (entry.route.path !== 'webrtc') {
      stream.destroy();
      throw new AppError('timed-out', 'no direct path');
    }
    this.#replace(device, entry);
    return { stream, route: entry.route, device };
  }

  /** What was tried beside the connection serves from now on. */
  #replace(device: DeviceKey, entry: Entry): void {
    if (this.#beside.get(device) !== entry) return;
    this.#beside.delete(device);
    entry.isBeside = false;
    const before = this.#links.get(device);
    this.#links.set(device, entry);
    if (before === undefined) return;
    for (const [older, whose] of this.#replaced) if (whose === device) this.#dropReplaced(older);
    this.#replaced.set(before, device);
    // Nobody opens streams on it any more, so it ends when it is idle.
    before.link.changes.on(({ kind }) => {
      if (kind !== 'connected') this.#dropReplaced(before);
    });
  }

  #dropReplaced(entry: Entry): void {
    if (this.#replaced.delete(entry)) entry.link[Symbol.dispose]();
  }

  #dropBeside(device: DeviceKey): void {
    const entry = this.#beside.get(device);
    this.#beside.delete(device);
    entry?.link[Symbol.dispose]();
  }

  #dropAll(device: DeviceKey): void {
    const entries = this.#entriesOf(device);
    this.#links.delete(device);
    this.#beside.delete(device);
    for (const entry of entries) {
      this.#replaced.delete(entry);
      entry.link[Symbol.dispose]();
    }
  }

  #dropDoubted(device: DeviceKey): void {
    const entry = this.#links.get(device);
    if (entry?.link.state.kind === 'connected' && this.#deps.isDoubted(entry.route)) this.#drop(device);
  }

  #drop(device: DeviceKey): void {
    const entry = this.#links.get(device);
    this.#links.delete(device);
    entry?.link[Symbol.dispose]();
  }

  #entryIn(links: Map<DeviceKey, Entry>, sphereId: SphereId, device: DeviceKey): Entry {
    const known = links.get(device);
    if (known !== undefined) {
      known.sphereId = sphereId;
      return known;
    }
    const entry = this.#create(sphereId, device, links === this.#beside);
    links.set(device, entry);
    return entry;
  }

  #create(sphereId: SphereId, device: DeviceKey, isBeside: boolean): Entry {
    const native = this.#native;
    if (native === null) throw new AppError('not-found', 'WebRTC is not available');
    const { clock, random, log, self, pending, onChange } = this.#deps;
    const route = new RtcRoute();
    const link = new RtcLink({
      native,
      clock,
      random,
      log,
      self,
      remote: device,
      iceServers: () => (entry.isBeside ? withoutRelays(this.#servers) : this.#servers),
      signal: (signal) => {
        const mid = entry.isBeside && signal.kind === 'offer' ? BESIDE : signal.mid;
        this.#deps.signal(entry.sphereId, device, { ...signal, mid });
      },
      onStream: (stream) => {
        if (route.path === 'webrtc') this.#replace(device, entry);
        return pending.take({ stream, route, device }, device);
      },
    });
    const entry: Entry = { link, route, sphereId, isBeside };
    link.changes.on((state) => {
      if (state.kind === 'connected') {
        route.path = state.path.kind === 'relay' ? 'turn' : 'webrtc';
        route.address = state.path.address;
      }
      if (entry.isBeside && (state.kind === 'failed' || state.kind === 'idle')) this.#dropBeside(device);
      onChange();
    });
    return entry;
  }
}
