import { isIP, isIPv6 } from 'node:net';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Scope } from '../base/scope.ts';
import type { IceServer } from '../contract/swarm.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { ConnectionTraits } from '../xmpp/session.ts';
import type { ExternalService } from '../xmpp/xep/0215-external-services.ts';
import { askExternalServices, onExternalServices } from '../xmpp/xep/0215-external-services.ts';
import { allowedServices } from './allowed-services.ts';

interface IceServersDeps {
  readonly client: XmppPort & { readonly connection: Pick<ConnectionTraits, 'serverAddress'> | null };
  readonly feed: Pick<SwarmFeed, 'setIceServers'>;
  /** Those the person named; nobody else's are asked by default. */
  readonly configured: readonly IceServer[];
  readonly resolve: Resolve;
  readonly ownNetworks: () => readonly string[];
  readonly scope: Pick<Scope, 'spawn'>;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY = { baseMs: 10_000, maxMs: 600_000 };
/** Credentials are asked again at half of their time, though not more often than this. */
const SOONEST_MS = 60_000;
/** A service without an end may still move, */
const LATEST_MS = 6 * 3_600_000;
/** and a name may soon lead elsewhere. */
const LATEST_NAMED_MS = 3_600_000;
/** As many as the swarm process takes. */
const MOST_SERVERS = 16;

/** Keeps the swarm supplied with the STUN and TURN servers of our own XMPP server, whose passwords expire. */
export class IceServers implements Disposable {
  readonly #deps: IceServersDeps;
  readonly #stops: (() => void)[];
  readonly #lastKnown = new RecentMap<string, string>(MOST_SERVERS);
  /** Ends the wait of the round before. */
  #round = new AbortController();

  constructor(deps: IceServersDeps) {
    this.#deps = deps;
    this.#tell([]);
    const pushes = onExternalServices(deps.client, () => this.#begin());
    this.#stops = [
      () => pushes[Symbol.dispose](),
      deps.client.onState.on(({ kind }) => {
        if (kind === 'online') this.#begin();
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
    this.#round.abort();
  }

  #begin(): void {
    this.#round.abort();
    this.#round = new AbortController();
    const over = this.#round.signal;
    this.#deps.scope.spawn('ask for relays', async (signal) => {
      try {
        await this.#keepAsking(AbortSignal.any([signal, over]));
      } catch (error) {
        if (!over.aborted) throw error;
      }
    });
  }

  async #keepAsking(signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#deps;
    for (let failures = 0; client.state.kind === 'online';) {
      try {
        const named = await askExternalServices(client, signal);
        failures = 0;
        await this.#keepResolving(named, againMs(named, clock.now()), signal);
      } catch (error) {
        signal.throwIfAborted();
        log.debug('the server does not say what relays it has', { error });
        await clock.sleep(
          backoffDelay(failures, RETRY, () => client.jitter()),
          signal,
        );
        failures += 1;
      }
    }
  }

  /** For this time; a name that nobody knows just now is looked up again sooner, with the same credentials. */
  async #keepResolving(named: readonly ExternalService[], forMs: number, signal: AbortSignal): Promise<void> {
    const { client, clock, log, resolve, ownNetworks } = this.#deps;
    const untilMs = clock.monotonic() + forMs;
    let told = '';
    for (let round = 0; clock.monotonic() < untilMs; round += 1) {
      const { serverAddress } = client.connection ?? {};
      const allowed = { serverAddress, ownNetworks: ownNetworks(), resolve, lastKnown: this.#lastKnown, log };
      const { services, unresolved } = await allowedServices(named, allowed, signal);
      const found = JSON.stringify(services);
      if (found !== told) this.#tell(services);
      told = found;
      const soonMs = unresolved === 0 ? forMs : backoffDelay(round, RETRY, () => client.jitter());
      await clock.sleep(Math.max(0, Math.min(untilMs - clock.monotonic(), soonMs)), signal);
    }
  }

  #tell(services: readonly ExternalService[]): void {
    const { configured, scope, feed } = this.#deps;
    const usable = services.filter(({ type, password }) => type === 'stun' || password !== '').map(iceServer);
    const servers = [...configured, ...usable].slice(0, MOST_SERVERS);
    scope.spawn('tell relays', () => feed.setIceServers(servers));
  }
}

function againMs(services: readonly ExternalService[], nowMs: number): number {
  const ends = services.flatMap(({ expiresMs }) => expiresMs ?? []);
  const latestMs = services.some(({ host }) => isIP(host) === 0) ? LATEST_NAMED_MS : LATEST_MS;
  return Math.min(latestMs, Math.max(SOONEST_MS, (Math.min(...ends) - nowMs) / 2));
}

function iceServer({ type, host, port, username, password }: ExternalService): IceServer {
  const place = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return { urls: [type === 'stun' ? `stun:${place}` : `turn:${place}?transport=udp`], username, password };
}
