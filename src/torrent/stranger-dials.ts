import type { Clock } from '../base/clock.ts';
import type { AddressPolicy } from './internet-address.ts';
import { parseEndpoint } from './endpoint.ts';

const MOST_KNOWN = 500;
const RETRY_MS = 60_000;
const MOST_RETRY_MS = 3_600_000;
/** After so many vain calls in a row nothing is expected any more. */
const MOST_VAIN = 4;

interface Known {
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

  /** Somebody names `host:port`; what lies in networks of our own is not called because of it. Whether it is new. */
  add(text: string): boolean {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined || this.#known.has(text) || !this.#policy(endpoint.host)) return false;
    if (this.#known.size >= MOST_KNOWN) this.#forgetWorst();
    this.#known.set(text, { nextMs: 0, vain: 0, busy: false });
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

  #forgetWorst(): void {
    const idle = Array.from(this.#known).filter(([, known]) => !known.busy);
    const worst = idle.toSorted(([, a], [, b]) => b.vain - a.vain)[0];
    if (worst !== undefined) this.#known.delete(worst[0]);
  }
}
