import type { Clock } from '../base/clock.ts';
import { householdOf } from '../base/ip-address.ts';
import type { AddressPolicy } from './internet-address.ts';
import { parseEndpoint } from './endpoint.ts';

const MOST_KNOWN = 500;
/** Several may share an address; but nobody is to have us knock at all the doors of somebody else. */
const MOST_OF_HOUSEHOLD = 8;
const RETRY_MS = 60_000;
const MOST_RETRY_MS = 3_600_000;
/** After so many vain calls in a row nothing is expected any more. */
const MOST_VAIN = 4;

interface Known {
  readonly household: string;
  /** Who named it first. */
  readonly source: string;
  nextMs: number;
  vain: number;
  busy: boolean;
}

/** Where strangers who share one public torrent can be called, and when they may be called again. */
export class StrangerDials {
  readonly #clock: Clock;
  readonly #policy: AddressPolicy;
  readonly #known = new Map<string, Known>();

  constructor(deps: { clock: Clock; policy: AddressPolicy }) {
    this.#clock = deps.clock;
    this.#policy = deps.policy;
  }

  /**
   * `source` names `host:port`; what lies in networks of our own is not called because of it. Whether it is new. Whoever names
   * more than fits crowds out only what the same source named, or the one that named most.
   */
  add(text: string, source: string): boolean {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined || this.#known.has(text) || !this.#policy(endpoint.host)) return false;
    const household = householdOf(endpoint.host);
    const neighbours = Array.from(this.#known.values()).filter((known) => known.household === household);
    if (neighbours.length >= MOST_OF_HOUSEHOLD) return false;
    if (this.#known.size >= MOST_KNOWN && !this.#makeRoom(source)) return false;
    this.#known.set(text, { household, source, nextMs: 0, vain: 0, busy: false });
    return true;
  }

  /** Up to so many that may be called now, each marked as being called until it `ended`. */
  take(most: number): string[] {
    const now = this.#clock.monotonic();
    const due = Array.from(this.#known).filter(([, known]) => !known.busy && known.nextMs <= now);
    const taken = due.toSorted(([, a], [, b]) => a.vain - b.vain).slice(0, Math.max(0, most));
    for (const [, known] of taken) known.busy = true;
    return taken.map(([endpoint]) => endpoint);
  }

  /** `worked`: there was a connection, which is over now. */
  ended(endpoint: string, worked: boolean): void {
    const known = this.#known.get(endpoint);
    if (known === undefined) return;
    known.busy = false;
    known.vain = worked ? 0 : known.vain + 1;
    known.nextMs = this.#clock.monotonic() + Math.min(MOST_RETRY_MS, RETRY_MS * 2 ** known.vain);
    if (known.vain >= MOST_VAIN) this.#known.delete(endpoint);
  }

  /** False when all that may leave for it is being called. */
  #makeRoom(source: string): boolean {
    const counts = new Map([[source, 1]]);
    for (const known of this.#known.values()) counts.set(known.source, (counts.get(known.source) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const from =
      counts.get(source) === most ? (one: string) => one === source : (one: string) => counts.get(one) === most;
    const idle = Array.from(this.#known).filter(([, known]) => !known.busy && from(known.source));
    const worst = idle.toSorted(([, a], [, b]) => b.vain - a.vain)[0];
    return worst !== undefined && this.#known.delete(worst[0]);
  }
}
