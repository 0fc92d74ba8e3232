import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { withinTime } from '../base/within-time.ts';
import type { Gateway, GatewayKind, InnerPort, Mapping } from './gateway.ts';
import type { GatewaySearch } from './gateway-search.ts';
import { isPublicAddress } from './ip-address.ts';

/** Short, because what is left after a crash stays open as long. */
export const LEASE_SECONDS = 20 * 60;
const MOST_RENEWAL_MS = 10 * 60_000;
/** RFC 6887 §11.2.1: never more often. */
const LEAST_RENEWAL_MS = 4_000;
/** How soon a restarted router or a changed address is noticed. */
const CHECK_MS = 60_000;
const RETRY = { baseMs: 15_000, maxMs: 5 * 60_000 };
/** The whole process has five seconds to end. */
const UNMAP_MS = 1_500;

export type PortState =
  | { readonly kind: 'searching' }
  | { readonly kind: 'open'; readonly via: GatewayKind; readonly address: string; readonly port: number }
  /** The router maps, but has itself no address that the world can reach. */
  | { readonly kind: 'unreachable'; readonly via: GatewayKind; readonly address: string; readonly port: number }
  /** No router opens the port; it is asked again now and then. */
  | { readonly kind: 'closed' };

export interface KeptPortDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly search: GatewaySearch;
  readonly onDisposed: () => void;
}

interface Held {
  readonly gateway: Gateway;
  readonly mapping: Mapping;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

/** One port kept open on the router until disposed. */
export class KeptPort implements AsyncDisposable {
  readonly changes: Emitter<PortState>;
  readonly #deps: KeptPortDeps;
  readonly #inner: InnerPort;
  readonly #scope: Scope;
  /** Every router object that may hold a mapping of ours, by protocol. */
  readonly #asked = new Map<GatewayKind, Gateway>();
  #state: PortState = { kind: 'searching' };
  #wantedPort: number;

  constructor(deps: KeptPortDeps, inner: InnerPort) {
    this.#deps = deps;
    this.#inner = inner;
    this.#wantedPort = inner.internalPort;
    this.changes = new Emitter((error) => deps.log.error('listener failed', { error }));
    this.#scope = new Scope({ log: deps.log });
    this.#scope.spawn('keep port open', (signal) => this.#run(signal));
  }

  get state(): PortState {
    return this.#state;
  }

  /** Closes the port on the router before it resolves, as far as the router answers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
    await Promise.all([...this.#asked.values()].map((gateway) => this.#unmap(gateway)));
    this.#asked.clear();
    this.#deps.onDisposed();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const held = await this.#acquire(undefined, signal);
      if (held !== undefined) {
        await this.#hold(held, signal);
        attempt = 0;
      }
      this.#setState({ kind: 'closed' });
      await this.#deps.clock.sleep(backoffDelay(attempt, RETRY, this.#deps.random), signal);
    }
  }

  /** Renews and checks; returns when the mapping is lost and could not be made again. */
  async #hold(first: Held, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    let held = first;
    for (;;) {
      const untilMs = Math.min(held.renewAtMs, held.endsAtMs) - clock.monotonic();
      await clock.sleep(Math.max(LEAST_RENEWAL_MS, Math.min(untilMs, CHECK_MS)), signal);
      const due = clock.monotonic() >= held.renewAtMs;
      const health = due ? 'unknown' : await this.#check(held, signal);
      if (health === 'kept') continue;
      const again = await this.#acquire(held.gateway, signal);
      const nowMs = clock.monotonic();
      // A failed renewal is no loss while the lease runs: some routers refuse to renew and keep the mapping.
      if (again === undefined && (health === 'lost' || nowMs >= held.endsAtMs)) return;
      held = again ?? { ...held, renewAtMs: nowMs + CHECK_MS };
    }
  }

  async #check({ gateway, mapping }: Held, signal: AbortSignal): Promise<'kept' | 'lost' | 'unknown'> {
    try {
      return (await gateway.isKept(mapping, signal)) ? 'kept' : 'lost';
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.log.debug('router does not tell whether a port is open', { error });
      return 'unknown';
    }
  }

  /** Asks the known router first, then all that answer. The first that grants wins. */
  async #acquire(known: Gateway | undefined, signal: AbortSignal): Promise<Held | undefined> {
    const again = known === undefined ? undefined : await this.#map(known, signal);
    if (again !== undefined) return again;
    for await (const gateway of this.#deps.search.find(signal)) {
      const held = await this.#map(gateway, signal);
      if (held !== undefined) return held;
    }
    return undefined;
  }

  async #map(gateway: Gateway, signal: AbortSignal): Promise<Held | undefined> {
    const { clock, log } = this.#deps;
    this.#asked.set(gateway.kind, gateway);
    try {
      const request = { ...this.#inner, wantedExternalPort: this.#wantedPort, lifetimeSeconds: LEASE_SECONDS };
      const mapping = await gateway.map(request, signal);
      const { externalAddress: address, externalPort: port } = mapping;
      this.#wantedPort = port;
      const kind = isPublicAddress(address) ? 'open' : 'unreachable';
      this.#setState({ kind, via: gateway.kind, address, port });
      const nowMs = clock.monotonic();
      const leaseMs = (mapping.lifetimeSeconds ?? LEASE_SECONDS) * 1_000;
      const renewMs = Math.min(MOST_RENEWAL_MS, Math.max(LEAST_RENEWAL_MS, leaseMs / 2));
      return { gateway, mapping, renewAtMs: nowMs + renewMs, endsAtMs: nowMs + leaseMs };
    } catch (error) {
      signal.throwIfAborted();
      log.debug('router opens no port', { via: gateway.kind, error });
      return undefined;
    }
  }

  async #unmap(gateway: Gateway): Promise<void> {
    const { clock, log } = this.#deps;
    const never = new AbortController().signal;
    try {
      await withinTime({ clock, ms: UNMAP_MS }, never, (limited) => gateway.unmap(this.#inner, limited));
    } catch (error) {
      // The lease ends by itself.
      log.debug('port stays open until its lease ends', { via: gateway.kind, error });
    }
  }

  #setState(state: PortState): void {
    if (isSame(this.#state, state)) return;
    this.#state = state;
    this.#deps.log.info('router port', { ...state, internalPort: this.#inner.internalPort });
    this.changes.emit(state);
  }
}

function isSame(a: PortState, b: PortState): boolean {
  if (a.kind === 'searching' || a.kind === 'closed' || b.kind === 'searching' || b.kind === 'closed') {
    return a.kind === b.kind;
  }
  return a.kind === b.kind && a.via === b.via && a.address === b.address && a.port === b.port;
}
