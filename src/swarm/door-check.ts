import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import { isPublicAddress } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { SwarmEvent, SwarmReach } from '../contract/swarm.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import type { Callee } from '../torrent/call-list.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import type { Route } from '../torrent/route.ts';
import { pathOf } from '../torrent/route.ts';
import type { Caller } from './caller.ts';
import { localAddresses } from './candidates.ts';
import type { MayCall } from './may-call.ts';
import type { MemberPorts } from './member-ports.ts';
import { ObservedAddresses, SERVER } from './observed-addresses.ts';
import type { Helper } from './port-probe.ts';
import { PortProbe } from './port-probe.ts';
import { ProbeCaller } from './probe-caller.ts';
import { Reachability } from './reachability.ts';
import type { ReachTeller } from './reach-teller.ts';

/** From where we are seen to come is asked again so often, and the same endpoint is called for it no sooner. */
const LEARN_AGAIN_MS = 10 * 60_000;
const NEXT_MS = 3_000;
/** Between a device's coming in and its word that it did. */
const CAME_MS = 60_000;
const MOST_NOTED = 1_024;
/** How long an endpoint of our own network takes to answer tells nobody anything: this passes before the one outside is called. */
const NEAR_MS = 6_000;
/** What a STUN server said, as it stands in our own candidates (RFC 8839 §5.1). */
const SERVER_REFLEXIVE = / ([0-9.]{7,15}) \d{1,5} typ srflx/g;

export interface DoorCheckDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly caller: Pick<Caller, 'callInAnyEpoch'>;
  readonly teller: Pick<ReachTeller, 'seen' | 'seenAs' | 'ended' | 'answer'>;
  readonly mayCall: MayCall;
  /** Those we listen on; none = all. */
  readonly addresses: readonly string[];
  readonly ports: () => Pick<MemberPorts, 'doors' | 'isProven' | 'own' | 'isAtOurRouter'> | null;
  readonly host: { readonly admittingSpheres: readonly AdmittingSphere[] };
  /** How each device of a sphere said that it can be called. */
  readonly callees: (sphereId: SphereId) => ReadonlyMap<DeviceKey, readonly Callee[]>;
  readonly emit: (event: SwarmEvent) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/** Whether this device can be called from outside: members who are there are asked to try, and are helped alike. */
export class DoorCheck {
  readonly observed: ObservedAddresses;
  /** What members said of our endpoints. */
  readonly reachability: Reachability;
  readonly #deps: DoorCheckDeps;
  readonly #probe: PortProbe;
  readonly #calls: ProbeCaller;
  /** When each endpoint was called for the sake of being seen, monotonic. */
  readonly #learntMs = new Map<string, number>();
  /** When each device was called for it. */
  readonly #askedMs = new RecentMap<DeviceKey, number>(MOST_NOTED);
  /** When each device came in from outside. */
  readonly #cameMs = new RecentMap<DeviceKey, number>(MOST_NOTED);
  #nextLearnMs = 0;

  constructor(deps: DoorCheckDeps) {
    this.#deps = deps;
    this.observed = new ObservedAddresses(deps);
    this.reachability = new Reachability(deps);
    this.#probe = new PortProbe({
      clock: deps.clock,
      endpoints: () => deps.ports()?.doors ?? [],
      // Who has not seen us come from there refuses to try what we have not told.
      helpers: () => Array.from(this.#helpers()).toSorted((one, other) => this.#seesUs(other) - this.#seesUs(one)),
      ask: deps.emit,
    });
    this.#calls = new ProbeCaller({ ...deps, onSeen: (device, endpoint) => this.#saw(device, endpoint) });
  }

  /** Once a second. */
  look(): void {
    this.#probe.look();
    this.#learn();
  }

  /** A member's word about an endpoint of ours. */
  heard({ device, endpoint, outcome, seenAs }: SwarmReach): void {
    const ports = this.#deps.ports();
    if (seenAs !== null) this.#saw(device, seenAs);
    if (ports === null || !(ports.own.has(endpoint) || ports.doors.includes(endpoint))) return;
    // Who got in was seen to come: a word alone has nobody call a stranger's port.
    if (outcome === 'reached' && !this.#hasCome(device)) return;
    this.reachability.heard(device, endpoint, outcome);
    this.#probe.heard(device, endpoint, outcome);
  }

  /** A device came in by that way. */
  came(device: DeviceKey, route: Route): void {
    this.met(device, route);
    if (route.path === 'tcp') this.#cameMs.set(device, this.#deps.clock.monotonic());
  }

  /** A device came in, or was reached, by that way. */
  met(device: DeviceKey, { path, address }: Route): void {
    const host = parseEndpoint(address)?.host ?? '';
    // Not over a relay, and not in the own network.
    const isDirect = path === 'tcp' || (path === 'webrtc' && !host.includes(':') && isPublicAddress(host));
    if (isDirect) this.#deps.teller.seen(device, address);
  }

  /** Our own candidates, on their way to a member, tell where the server sees us. */
  passOn(event: Extract<SwarmEvent, { kind: 'signal' }>): void {
    for (const [, host] of event.signal.text.matchAll(SERVER_REFLEXIVE)) this.#saw(SERVER, `${host}:1`);
    this.#deps.emit(event);
  }

  /** The network may be another one, which nobody tells who is behind a router: who came in before is asked to try again. */
  askAgain(): void {
    this.#probe.forget();
    this.#learntMs.clear();
    this.#nextLearnMs = 0;
  }

  /** The network is another one. */
  forget(): void {
    this.observed.forget();
    this.reachability.forget();
    this.#askedMs.clear();
    this.#cameMs.clear();
    this.askAgain();
  }

  /**
   * A device wants to know whether its endpoint leads to it. Only where it is seen to be, or what it tells everybody, is
   * tried: nobody has others knock at a stranger's ports.
   */
  asked({ sphereId, device, endpoint }: Pick<SwarmReach, 'sphereId' | 'device' | 'endpoint'>): void {
    const sphere = this.#sphere(sphereId, device);
    const ports = this.#deps.ports();
    if (sphere === undefined || ports === null || pathOf(endpoint) !== 'tcp' || !this.#deps.mayCall(endpoint)) return;
    const told = this.#deps.callees(sphereId).get(device) ?? [];
    const seenHost = parseEndpoint(this.#deps.teller.seenAs(device) ?? '')?.host;
    const isTheirs = parseEndpoint(endpoint)?.host === seenHost || told.some((callee) => callee.endpoint === endpoint);
    // What a router does for its own network says nothing of the world outside.
    if (!isTheirs || ports.own.has(endpoint) || ports.isAtOurRouter(endpoint)) return;
    const answer = (): void => {
      this.#calls.call({ sphere, device, endpoint }, (outcome) =>
        this.#deps.teller.answer({ sphereId, device, endpoint }, outcome),
      );
    };
    const near = told.find((callee) => callee.path === 'lan' && this.#isNear(callee.endpoint));
    if (near === undefined) return answer();
    this.#deps.spawn('try an endpoint outside', async (signal) => {
      let isHere = false;
      this.#calls.call({ sphere, device, endpoint: near.endpoint }, (outcome) => {
        isHere = outcome.kind === 'connected' && outcome.dialled.admitted.device === device;
      });
      await this.#deps.clock.sleep(NEAR_MS, signal);
      if (!isHere) answer();
    });
  }

  /** Who sees us at another address: what was found out at the old one may be somebody else's by now, and is tried anew. */
  #saw(witness: string, endpoint: string): void {
    const host = this.observed.saw(witness, endpoint);
    // Members may say what they like as long as the server tells.
    if (witness !== SERVER && this.observed.isSeenBy(SERVER)) return;
    if (host !== null && this.reachability.forgetElsewhere(host)) this.#probe.forget();
  }

  #hasCome(device: DeviceKey): boolean {
    const atMs = this.#cameMs.get(device);
    return atMs !== undefined && this.#deps.clock.monotonic() - atMs < CAME_MS;
  }

  /** Calls a member whom everybody can call, in order to be told from where we come. */
  #learn(): void {
    const { clock, addresses, teller } = this.#deps;
    const ports = this.#deps.ports();
    const nowMs = clock.monotonic();
    if (ports === null || ports.isProven || nowMs < this.#nextLearnMs) return;
    if (localAddresses(addresses).some((address) => !address.includes(':') && isPublicAddress(address))) return;
    for (const [endpoint, atMs] of this.#learntMs) {
      if (nowMs - atMs > LEARN_AGAIN_MS) this.#learntMs.delete(endpoint);
    }
    const lastMs = ({ device }: { device: DeviceKey }): number => this.#askedMs.get(device) ?? -1;
    const doors = Array.from(this.#doorsOfOthers(ports)).toSorted((one, other) => lastMs(one) - lastMs(other));
    for (const { sphere, device, endpoint } of doors) {
      if (this.#learntMs.has(endpoint)) continue;
      const request = { sphereId: sphere.sphereId, endpoint, path: 'tcp' as const, toldBy: device };
      const isCalled = this.#calls.call({ sphere, device, endpoint }, (outcome) => {
        if (outcome.kind === 'connected') this.#nextLearnMs = clock.monotonic() + LEARN_AGAIN_MS;
        // Who refuses may only not know what a probe is.
        if (outcome.kind !== 'refused') teller.ended(request, outcome);
      });
      if (!isCalled) continue;
      this.#learntMs.set(endpoint, nowMs);
      this.#askedMs.set(device, nowMs);
      this.#nextLearnMs = nowMs + NEXT_MS;
      return;
    }
  }

  *#doorsOfOthers(ports: Pick<MemberPorts, 'own' | 'isAtOurRouter'>) {
    for (const sphere of this.#deps.host.admittingSpheres) {
      for (const [device, callees] of this.#deps.callees(sphere.sphereId)) {
        if (!sphere.isListed(device)) continue;
        for (const { path, endpoint } of callees) {
          if (path === 'tcp' && !ports.own.has(endpoint) && !ports.isAtOurRouter(endpoint)) {
            yield { sphere, device, endpoint };
          }
        }
      }
    }
  }

  *#helpers(): Generator<Helper> {
    const ports = this.#deps.ports();
    const seen = new Set<DeviceKey>();
    for (const { sphereId, isListed } of this.#deps.host.admittingSpheres) {
      for (const [device, callees] of this.#deps.callees(sphereId)) {
        const isInside = callees.some(
          ({ path, endpoint }) => path === 'tcp' && ports?.isAtOurRouter(endpoint) === true,
        );
        if (seen.has(device) || isInside || !isListed(device)) continue;
        seen.add(device);
        yield { sphereId, device };
      }
    }
  }

  #seesUs({ device }: Helper): number {
    return Number(this.observed.isSeenBy(device));
  }

  #sphere(sphereId: SphereId, device: DeviceKey): AdmittingSphere | undefined {
    return this.#deps.host.admittingSpheres.find((sphere) => sphere.sphereId === sphereId && sphere.isListed(device));
  }

  /** Whether an address looks as if it were of our own network. */
  #isNear(endpoint: string): boolean {
    const start = (host: string): string => host.split('.').slice(0, 3).join('.');
    const host = parseEndpoint(endpoint)?.host ?? '';
    return localAddresses(this.#deps.addresses).some((own) => own.includes('.') && start(own) === start(host));
  }
}
