import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { IceServer, RtcSignal } from '../contract/swarm.ts';
import { chooseIceServers } from '../nat/rtc/ice-servers.ts';
import type { NativeRtc } from '../nat/rtc/native-rtc.ts';
import { RtcLink } from '../nat/rtc/rtc-link.ts';
import type { Route, RoutedStream } from '../torrent/route.ts';
import type { RtcOpener } from './caller.ts';
import type { PendingStreams } from './pending-streams.ts';

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
  /** Whether the other side has said anything to the attempt under way. */
  isHeard: boolean;
}

/** WebRTC to every device that is called by it: one connection each, streams over it are admitted like all others. */
export class RtcLinks implements RtcOpener, Disposable {
  readonly #deps: RtcLinksDeps;
  readonly #links = new Map<DeviceKey, Entry>();
  #native: NativeRtc | null = null;
  #servers: readonly IceServer[] = [];

  constructor(deps: RtcLinksDeps) {
    this.#deps = deps;
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
  async open(
    { sphereId, device }: { sphereId: SphereId; device: DeviceKey },
    signal: AbortSignal,
  ): Promise<RoutedStream> {
    this.#dropDoubted(device);
    const { link, route } = this.#linkTo(sphereId, device);
    return { stream: await link.open(signal), route, device };
  }

  /** A signal of a device that the sphere admits. */
  receive(sphereId: SphereId, device: DeviceKey, signal: RtcSignal): void {
    if (this.#native === null) return;
    const entry = this.#linkTo(sphereId, device);
    entry.isHeard = true;
    entry.link.receive(signal);
  }

  /** The network or what it offers is another: attempts begun before come to nothing. */
  restart(): void {
    for (const [device, { link }] of Array.from(this.#links)) if (link.state.kind === 'connecting') this.#drop(device);
  }

  /** The device has just come: what was said to it before, it has not heard. */
  renew(device: DeviceKey): void {
    const entry = this.#links.get(device);
    if (entry?.link.state.kind === 'connecting' && !entry.isHeard) this.#drop(device);
  }

  /** Ends connections to devices that are no members of anything any more. */
  prune(isMember: (device: DeviceKey) => boolean): void {
    for (const device of Array.from(this.#links.keys())) if (!isMember(device)) this.#drop(device);
  }

  [Symbol.dispose](): void {
    for (const device of Array.from(this.#links.keys())) this.#drop(device);
    this.#native = null;
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

  #linkTo(sphereId: SphereId, device: DeviceKey): Entry {
    const known = this.#links.get(device);
    if (known !== undefined) {
      known.sphereId = sphereId;
      return known;
    }
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
      iceServers: () => this.#servers,
      signal: (signal) => this.#deps.signal(entry.sphereId, device, signal),
      onStream: (stream) => pending.take({ stream, route, device }, device),
    });
    const entry: Entry = { link, route, sphereId, isHeard: false };
    link.changes.on((state) => {
      if (state.kind === 'connected') {
        route.path = state.path.kind === 'relay' ? 'turn' : 'webrtc';
        route.address = state.path.address;
      } else if (state.kind !== 'connecting') entry.isHeard = false;
      onChange();
    });
    this.#links.set(device, entry);
    return entry;
  }
}
