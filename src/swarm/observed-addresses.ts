import { isPublicAddress } from '../base/ip-address.ts';
import type { Clock } from '../base/clock.ts';
import { RecentMap } from '../base/recent-map.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';

/** Networks change; who saw us there so long ago may see us elsewhere now. */
const BELIEVED_MS = 60 * 60_000;
const MOST_WITNESSES = 256;
/** The witness of whom our own candidates speak. */
export const SERVER = 'server';
/** A provider may share several; more of them are made up. */
const MOST_ADDRESSES = 2;

/** Under which addresses of the internet's IPv4 this device is seen by others: where its router would be called. */
export class ObservedAddresses {
  readonly #clock: Clock;
  readonly #seen = new RecentMap<string, { host: string; atMs: number }>(MOST_WITNESSES);

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /**
   * `witness`, a device for example, sees us come from that `host:port`; each is believed once, its newest word. The host
   * if it is certain from now on, null if it was before or is not.
   */
  saw(witness: string, endpoint: string): string | null {
    const host = parseEndpoint(endpoint)?.host ?? '';
    if (host.includes(':') || !isPublicAddress(host)) return null;
    const wasSure = isSure(this.#witnesses.get(host));
    this.#seen.set(witness, { host, atMs: this.#clock.monotonic() });
    return !wasSure && isSure(this.#witnesses.get(host)) ? host : null;
  }

  isSeenBy(witness: string): boolean {
    return this.#seen.has(witness);
  }

  /** The network is another one. */
  forget(): void {
    this.#seen.clear();
  }

  /** Those that most witnesses name, first. */
  get hosts(): string[] {
    const sorted = Array.from(this.#witnesses).toSorted(([, one], [, other]) => other.length - one.length);
    return sorted.slice(0, MOST_ADDRESSES).map(([host]) => host);
  }

  /** Those that the server names, or two witnesses: a single member may say what it likes. */
  get sureHosts(): string[] {
    const witnesses = this.#witnesses;
    return this.hosts.filter((host) => isSure(witnesses.get(host)));
  }

  get #witnesses(): Map<string, string[]> {
    const sinceMs = this.#clock.monotonic() - BELIEVED_MS;
    const named = new Map<string, string[]>();
    for (const [witness, { host, atMs }] of this.#seen) {
      if (atMs > sinceMs) named.set(host, [...(named.get(host) ?? []), witness]);
    }
    return named;
  }
}

function isSure(witnesses: readonly string[] = []): boolean {
  return witnesses.includes(SERVER) || witnesses.length > 1;
}
