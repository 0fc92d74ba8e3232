import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Logger } from '../base/log.ts';
import type { NetworkState } from '../contract/swarm.ts';
import { formatEndpoint, parseEndpoint } from '../torrent/endpoint.ts';
import { endpointsOn, hearsRouter, localAddresses } from './candidates.ts';
import { DataListener } from './data-listener.ts';
import type { PortRefusal } from './listen.ts';
import { listenOnAll } from './listen.ts';
import type { ObservedAddresses } from './observed-addresses.ts';
import type { PendingStreams } from './pending-streams.ts';
import type { Pinhole, PortMapping, RouterPort } from './port-mapping.ts';
import type { Reachability } from './reachability.ts';

const MOST_ENDPOINTS = 32;
const MOST_TRACKERS = 8;

export interface MemberPortsDeps {
  readonly log: Logger;
  /** null = no router is asked for anything. */
  readonly portMapping: PortMapping | null;
  readonly reachability: Reachability;
  readonly observed: Pick<ObservedAddresses, 'hosts' | 'sureHosts'>;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  /** Preferred port, 0 = any. */
  readonly dataPort: number;
  readonly extraPorts: readonly number[];
  readonly pending: PendingStreams;
  /** Takes a connection to the tracker; null = there is none. */
  readonly onTracker: ((socket: Socket) => void) | null;
  /** Something that members or a person may be told has changed. */
  readonly onChange: () => void;
  /** The router lets an IPv6 address in that it kept out, which was among the endpoints all the same. */
  readonly onPinhole: () => void;
}

type PortView = NetworkState['ports'][number];
interface OwnPort {
  readonly purpose: PortView['purpose'];
  readonly port: number;
  readonly failure: string | null;
  router: RouterPort | null;
}

/** The ports members come in by: listened on, opened on the router, and where they are outside. */
export class MemberPorts implements AsyncDisposable {
  readonly dataPort: number;
  /** 0 without a tracker. */
  readonly trackerPort: number;
  readonly #deps: MemberPortsDeps;
  readonly #ports: readonly OwnPort[];
  readonly #servers: Disposable;
  readonly #kept: AsyncDisposable[] = [];
  readonly #pinholes = new Map<number, readonly Pinhole[]>();

  private constructor(
    deps: MemberPortsDeps,
    ports: { data: number; tracker: number | null; extra: readonly PortRefusal[] },
    servers: Disposable,
  ) {
    this.#deps = deps;
    this.dataPort = ports.data;
    this.trackerPort = ports.tracker ?? 0;
    this.#servers = servers;
    this.#ports = [
      ownPort('data', ports.data),
      ...(ports.tracker === null ? [] : [ownPort('tracker', ports.tracker)]),
      ...ports.extra.map((extra) => ({ ...ownPort('extra', extra.port), failure: extra.failure })),
    ];
  }

  static async open(deps: MemberPortsDeps): Promise<MemberPorts> {
    const { addresses, dataPort, log } = deps;
    const stack = new DisposableStack();
    try {
      const listener = stack.use(await DataListener.open({ ...deps, preferredPort: dataPort }));
      const { onTracker } = deps;
      const preferred = dataPort === 0 ? 0 : listener.port + 1;
      const tracker =
        onTracker === null ? null : await listenOnAll(() => createServer(onTracker), addresses, preferred);
      for (const server of tracker?.servers ?? []) {
        server.on('error', (error) => log.warn('tracker listener failed', { error }));
        stack.defer(() => void server.close());
      }
      const ports = { data: listener.port, tracker: tracker?.port ?? null, extra: listener.extraPorts };
      for (const { port, failure } of ports.extra) if (failure !== null) log.warn('no extra port', { port, failure });
      return new MemberPorts(deps, ports, stack.move());
    } finally {
      stack.dispose();
    }
  }

  /** Asks the router, if it may be asked and can reach us. */
  map(): void {
    const { portMapping, addresses, onChange, onPinhole } = this.#deps;
    if (portMapping === null || !hearsRouter(addresses)) return;
    for (const own of this.#ports) {
      if (own.failure !== null) continue;
      own.router = { state: 'searching', via: null, outside: null };
      const kept = portMapping.keep(own.port, (router) => {
        own.router = router;
        onChange();
      });
      const pinholes = portMapping.keepPinholes(own.port, (holes) => {
        const before = this.#pinholes.get(own.port) ?? [];
        this.#pinholes.set(own.port, holes);
        onChange();
        if (holes.some(({ address, open }) => open && isShutIn(before, address))) onPinhole();
      });
      this.#kept.push(kept, pinholes);
    }
  }

  /** Where members can call us, likeliest first; a port of which the router lies, last. */
  get endpoints(): string[] {
    const outside = [...this.#openOutside(['data', 'extra']), ...this.#provenGuesses()];
    const lies = outside.filter((endpoint) => this.#deps.reachability.isLie(endpoint));
    const ports = this.#ports.filter(({ purpose, failure }) => purpose !== 'tracker' && failure === null);
    const local = localAddresses(this.#deps.addresses);
    const own = ports.flatMap(({ port }) => endpointsOn(local, port));
    const first = outside.filter((endpoint) => !lies.includes(endpoint));
    return [...[...first, ...own].slice(0, MOST_ENDPOINTS - lies.length), ...lies];
  }

  /** `host:port` of our tracker; none without one. */
  get trackers(): string[] {
    if (this.trackerPort === 0) return [];
    const own = endpointsOn(localAddresses(this.#deps.addresses), this.trackerPort);
    return [...this.#openOutside(['tracker']), ...own].slice(0, MOST_TRACKERS);
  }

  /** Where the router lets members in, if it does. */
  get mapped(): string | null {
    return this.#openOutside(['data'])[0] ?? this.#provenGuesses()[0] ?? null;
  }

  /** Where this device may be called from outside, if it can: what the router says, and what a person may have set in it. */
  get doors(): string[] {
    return [...this.#openOutside(['data', 'extra']), ...this.#ports.flatMap((own) => this.#guesses(own))];
  }

  /** Whether there is a port outside, and somebody came in there lately. */
  get isProven(): boolean {
    return this.doors.some((endpoint) => this.#deps.reachability.isProven(endpoint));
  }

  /** Never called: it is we who listen there. */
  get own(): Set<string> {
    // Loopback is ours only where we listen on everything; otherwise it may be somebody else's.
    const loopback = this.#deps.addresses.length === 0 ? ['127.0.0.1', '::1'] : [];
    return new Set([...this.endpoints, ...loopback.map((address) => formatEndpoint(address, this.dataPort))]);
  }

  /** Whether somebody else's endpoint has the outside address of our router. */
  isAtOurRouter(endpoint: string): boolean {
    const host = parseEndpoint(endpoint)?.host;
    const outside = this.#openOutside(['data', 'tracker', 'extra']).map((open) => parseEndpoint(open)?.host);
    return host !== undefined && [...outside, ...this.#deps.observed.sureHosts].includes(host);
  }

  get states(): PortView[] {
    return this.#ports.map((own) => {
      const { purpose, port, failure, router } = own;
      const guess = this.#guesses(own).find((endpoint) => this.#deps.reachability.isProven(endpoint));
      if (guess !== undefined) return { purpose, port, state: 'open', via: null, outside: guess, failure };
      const { via, outside } = router ?? { via: null, outside: null };
      return { purpose, port, state: this.#stateOf(own), via, outside, failure };
    });
  }

  get pinholes(): NetworkState['pinholes'] {
    return Array.from(this.#pinholes.values()).flatMap((holes) => holes.map((hole) => ({ ...hole })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#servers[Symbol.dispose]();
    // Together, because the process has little time to end and a router may be silent.
    await Promise.all(this.#kept.map((kept) => kept[Symbol.asyncDispose]()));
  }

  #stateOf({ purpose, failure, router }: OwnPort): PortView['state'] {
    if (failure !== null) return 'closed';
    const { state, outside } = router ?? { state: 'unmapped', outside: null };
    // Nobody is admitted by the tracker, so nobody can say that it is ours who answers there.
    if (state !== 'open' || outside === null || purpose === 'tracker') return state;
    if (this.#deps.reachability.isProven(outside)) return 'open';
    return this.#deps.reachability.isLie(outside) ? 'lied' : 'unconfirmed';
  }

  /** A person may have forwarded the port, under the same number, where others see us come from. */
  #guesses({ purpose, port, failure, router }: OwnPort): string[] {
    if (purpose === 'tracker' || failure !== null || router?.state === 'open') return [];
    const local = localAddresses(this.#deps.addresses);
    const outside = this.#deps.observed.hosts.filter((host) => !local.includes(host));
    return endpointsOn(outside, port);
  }

  #provenGuesses(): string[] {
    const guesses = this.#ports.flatMap((own) => this.#guesses(own));
    return guesses.filter((endpoint) => this.#deps.reachability.isProven(endpoint));
  }

  #openOutside(purposes: readonly PortView['purpose'][]): string[] {
    return this.#ports.flatMap(({ purpose, router }) => {
      const isOpen = purposes.includes(purpose) && router?.state === 'open' && router.outside !== null;
      return isOpen && router.outside !== null ? [router.outside] : [];
    });
  }
}

function isShutIn(holes: readonly Pinhole[], address: string): boolean {
  return holes.some((hole) => !hole.open && hole.address === address);
}

function ownPort(purpose: OwnPort['purpose'], port: number): OwnPort {
  return { purpose, port, failure: null, router: null };
}
