import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { withinTime } from '../base/within-time.ts';
import type { Gateway, GatewayKind, InnerPort, Mapping } from './gateway.ts';
import type { GatewaySearch } from './gateway-search.ts';
import { isPublicAddress } from '../base/ip-address.ts';
import { Pause } from './pause.ts';

/** Short, because what is left after a crash stays open as long. */
const LEASE_SECONDS = 20 * 60;
const MOST_RENEWAL_MS = 10 * 60_000;
/** RFC 6887 §11.2.1: never more often. */
const LEAST_RENEWAL_MS = 4_000;
/** How soon a restarted router or a changed address is noticed when nobody suspects anything. */
const CHECK_MS = 60_000;
/** A router that does not answer is on its way down or up. */
const SILENT_CHECK_MS = 5_000;
const RETRY = { baseMs: 5_000, maxMs: 5 * 60_000 };
/** The whole process has five seconds to end. */
const UNMAP_MS = 1_500;
const OUTSIDE_MS = 1_500;

export type PortState =
  | { readonly kind: 'searching' }
  | { readonly kind: 'open'; readonly via: GatewayKind; readonly address: string; readonly port: number }
  /** The router has itself no address that the world can reach, whether it opens the port or refuses for that reason. */
  | { readonly kind: 'unreachable'; readonly via: GatewayKind; readonly address: string; readonly port: number }
  /** No router opens the port; it is asked again now and then. */
  | { readonly kind: 'closed' };

export interface KeptPortDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly search: GatewaySearch;
  readonly onDisposed: () => void | Promise<void>;
}

interface Held {
  readonly gateway: Gateway;
  readonly mapping: Mapping;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
  /** Whether the router left the last question unanswered or said no. */
  readonly inDoubt: boolean;
  /** Whether it was made anew, at the same place, for a router that seemed to have forgotten it. */
  readonly wasForgotten: boolean;
}

/** One port kept open on the router until disposed. */
export class KeptPort implements AsyncDisposable {
  readonly changes: Emitter<PortState>;
  readonly #deps: KeptPortDeps;
  readonly #inner: InnerPort;
  readonly #scope: Scope;
  readonly #pause: Pause;
  /** Every router object that may hold a mapping of ours, by protocol and router. */
  readonly #asked = new Map<string, Gateway>();
  #state: PortState = { kind: 'searching' };
  #wantedPort: number;

  constructor(deps: KeptPortDeps, inner: InnerPort) {
    this.#deps = deps;
    this.#inner = inner;
    this.#wantedPort = inner.internalPort;
    this.#pause = new Pause({ clock: deps.clock, leastMs: LEAST_RENEWAL_MS });
    this.changes = new Emitter((error) => deps.log.error('listener failed', { error }));
    this.#scope = new Scope({ log: deps.log });
    this.#scope.spawn('keep port open', (signal) => this.#run(signal));
  }

  get state(): PortState {
    return this.#state;
  }

  /** Whether the router at this address was asked for the port. */
  wasAskedOf(router: string): boolean {
    return Array.from(this.#asked.values()).some((gateway) => gateway.address === router);
  }

  /** Something is wrong outside: the mapping is made anew, within four seconds. */
  checkNow(): void {
    this.#pause.cutShort();
  }

  /** Closes the port on the router before it resolves, as far as the router answers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
    await Promise.all([...this.#asked.values()].map((gateway) => this.#unmap(gateway)));
    this.#asked.clear();
    await this.#deps.onDisposed();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const held = await this.#acquire(undefined, signal);
      if (held !== undefined) {
        await this.#hold(held, signal);
        attempt = 0;
      }
      this.#setState(await this.#whyClosed(signal));
      const cutShort = await this.#pause.wait(backoffDelay(attempt, RETRY, this.#deps.random), signal);
      if (cutShort) attempt = 0;
    }
  }

  /** Renews and checks; returns when the mapping is lost and could not be made again. */
  async #hold(first: Held, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    let held = first;
    for (;;) {
      const untilMs = Math.min(held.renewAtMs, held.endsAtMs) - clock.monotonic();
      const suspected = await this.#pause.wait(Math.min(untilMs, held.inDoubt ? SILENT_CHECK_MS : CHECK_MS), signal);
      const isDue = clock.monotonic() >= held.renewAtMs;
      const health = isDue && !suspected ? 'due' : await this.#check(held, signal);
      // Members call there in vain until it is made anew, and call again once they are told so. Of a router that seems to
      // forget all the time, nobody is told each time.
      if (health === 'lost' && !held.wasForgotten) this.#setState({ kind: 'searching' });
      if (health === 'kept') held = { ...held, inDoubt: false, wasForgotten: false };
      if (health === 'kept' && !suspected) continue;
      const again = await this.#acquire(health === 'silent' ? undefined : held.gateway, signal);
      const nowMs = clock.monotonic();
      // A failed renewal is no loss while the lease runs: some routers refuse to renew and keep the mapping.
      if (again === undefined && (health === 'lost' || nowMs >= held.endsAtMs)) return;
      const wasForgotten = health === 'lost' && again !== undefined && isSamePlace(held.mapping, again.mapping);
      held =
        again === undefined
          ? { ...held, renewAtMs: nowMs + CHECK_MS, inDoubt: true }
          : { ...again, wasForgotten: wasForgotten || (health === 'due' && held.wasForgotten) };
    }
  }

  async #check({ gateway, mapping }: Held, signal: AbortSignal): Promise<'kept' | 'lost' | 'silent'> {
    try {
      return (await gateway.isKept(mapping, signal)) ? 'kept' : 'lost';
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.log.debug('router does not tell whether a port is open', { error });
      return 'silent';
    }
  }

  /**
   * Asks the known router first, then all that answer. The first that grants a port which the world can reach wins;
   * when there is none, the first that grants anything.
   */
  async #acquire(known: Gateway | undefined, signal: AbortSignal): Promise<Held | undefined> {
    const again = known === undefined ? undefined : await this.#map(known, signal);
    if (again !== undefined) return this.#tell(again);
    const poor: Held[] = [];
    for await (const gateway of this.#deps.search.find(signal)) {
      // One router's protocols share its table, and its outside address is the same in all of them.
      if (poor.some((held) => held.gateway.address === gateway.address)) continue;
      const held = await this.#map(gateway, signal);
      if (held === undefined) continue;
      if (!isPublicAddress(held.mapping.externalAddress)) {
        poor.push(held);
        continue;
      }
      this.#tell(held);
      await Promise.all(poor.map((other) => this.#unmap(other.gateway)));
      return held;
    }
    const [first, ...others] = poor;
    if (first === undefined) return undefined;
    this.#tell(first);
    await Promise.all(others.map((other) => this.#unmap(other.gateway)));
    return first;
  }

  async #map(gateway: Gateway, signal: AbortSignal): Promise<Held | undefined> {
    const { clock, log } = this.#deps;
    this.#asked.set(keyOf(gateway), gateway);
    try {
      const request = { ...this.#inner, wantedExternalPort: this.#wantedPort, lifetimeSeconds: LEASE_SECONDS };
      const mapping = await gateway.map(request, signal);
      const nowMs = clock.monotonic();
      const leaseMs = (mapping.lifetimeSeconds ?? LEASE_SECONDS) * 1_000;
      const renewMs = Math.min(MOST_RENEWAL_MS, Math.max(LEAST_RENEWAL_MS, leaseMs / 2));
      return {
        gateway,
        mapping,
        renewAtMs: nowMs + renewMs,
        endsAtMs: nowMs + leaseMs,
        inDoubt: false,
        wasForgotten: false,
      };
    } catch (error) {
      signal.throwIfAborted();
      log.debug('router opens no port', { via: gateway.kind, error });
      return undefined;
    }
  }

  /** Routers that share an outside address with other homes refuse; then a switch in their settings would not help. */
  async #whyClosed(signal: AbortSignal): Promise<PortState> {
    const { clock, log } = this.#deps;
    for (const gateway of this.#asked.values()) {
      try {
        const asked = await withinTime({ clock, ms: OUTSIDE_MS }, signal, async (limited) =>
          gateway.outside?.(limited),
        );
        if (asked === undefined || isPublicAddress(asked.externalAddress)) continue;
        const address = asked.externalAddress || '0.0.0.0';
        return { kind: 'unreachable', via: gateway.kind, address, port: this.#wantedPort };
      } catch (error) {
        signal.throwIfAborted();
        log.debug('router does not tell its outside address', { via: gateway.kind, error });
      }
    }
    return { kind: 'closed' };
  }

  async #unmap(gateway: Gateway): Promise<void> {
    const { clock, log } = this.#deps;
    const never = new AbortController().signal;
    this.#asked.delete(keyOf(gateway));
    try {
      await withinTime({ clock, ms: UNMAP_MS }, never, (limited) => gateway.unmap(this.#inner, limited));
    } catch (error) {
      // The lease ends by itself.
      log.debug('port stays open until its lease ends', { via: gateway.kind, error });
    }
  }

  #tell(held: Held): Held {
    const { externalAddress: address, externalPort: port } = held.mapping;
    this.#wantedPort = port;
    const kind = isPublicAddress(address) ? 'open' : 'unreachable';
    this.#setState({ kind, via: held.gateway.kind, address, port });
    return held;
  }

  #setState(state: PortState): void {
    if (isSame(this.#state, state)) return;
    this.#state = state;
    this.#deps.log.info('router port', { ...state, internalPort: this.#inner.internalPort });
    this.changes.emit(state);
  }
}

function keyOf(gateway: Gateway): string {
  return `${gateway.kind} ${gateway.address}`;
}

function isSamePlace(a: Mapping, b: Mapping): boolean {
  return a.externalAddress === b.externalAddress && a.externalPort === b.externalPort;
}

function isSame(a: PortState, b: PortState): boolean {
  if (a.kind === 'searching' || a.kind === 'closed' || b.kind === 'searching' || b.kind === 'closed') {
    return a.kind === b.kind;
  }
  return a.kind === b.kind && a.via === b.via && a.address === b.address && a.port === b.port;
}
