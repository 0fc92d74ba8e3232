import type { Clock } from '../base/clock.ts';

/** What a busy machine may be late without losing what it could have sent meanwhile. */
const BURST_SECONDS = 0.5;
const SHORTEST_SLEEP_MS = 5;
/** What a timer is set to holds only up to 24 days. */
const LONGEST_SLEEP_MS = 60_000;

/** What a transfer draws from. */
export interface Bucket {
  /** Bytes per second, 0 = no limit. */
  readonly rate: number;
  /** True when a transfer may go on now. */
  readonly open: boolean;
  /** Counts bytes that have moved already. */
  debit(bytes: number): void;
  /** Takes `bytes` at once when the rate allows it, else in turn. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * A rate shared by all connections, in bytes per second, 0 = none. A grant may overdraw the balance and
 * the next one waits until the debt is repaid, so the average is exact whatever the size of a grant.
 */
export class TokenBucket implements Bucket, Disposable {
  readonly #clock: Clock;
  readonly #waiters: Waiter[] = [];
  #rate: number;
  #balance = 0;
  #updatedMs: number;
  #wake: AbortController | null = null;
  #closed = false;

  constructor(deps: { clock: Clock; rate: number }) {
    this.#clock = deps.clock;
    this.#rate = deps.rate;
    this.#updatedMs = deps.clock.monotonic();
  }

  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#refill();
    this.#rate = rate;
    this.#balance = Math.min(this.#balance, this.#burst);
    this.#wake?.abort();
    this.#grantDue();
  }

  debit(bytes: number): void {
    if (this.#rate === 0) return;
    this.#refill();
    this.#balance -= bytes;
  }

  get open(): boolean {
    if (this.#rate === 0) return true;
    this.#refill();
    return this.#closed || (this.#balance > 0 && this.#waiters.length === 0);
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.open) {
      this.debit(bytes);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        const index = this.#waiters.indexOf(waiter);
        if (index >= 0) this.#waiters.splice(index, 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
      this.#schedule();
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#wake?.abort();
    this.#grantDue();
  }

  get #burst(): number {
    return this.#rate * BURST_SECONDS;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonic();
    const earned = (this.#rate * (nowMs - this.#updatedMs)) / 1000;
    this.#updatedMs = nowMs;
    this.#balance = this.#rate === 0 ? 0 : Math.min(this.#burst, this.#balance + earned);
  }

  #schedule(): void {
    if (this.#wake !== null || this.#waiters.length === 0) return;
    const wake = new AbortController();
    this.#wake = wake;
    const dueMs = ((1 - this.#balance) / Math.max(this.#rate, 1)) * 1000;
    void this.#grantAfter(Math.min(LONGEST_SLEEP_MS, Math.max(SHORTEST_SLEEP_MS, dueMs)), wake);
  }

  async #grantAfter(sleepMs: number, wake: AbortController): Promise<void> {
    try {
      await this.#clock.sleep(sleepMs, wake.signal);
    } catch {
      // Woken because the rate changed: what is due is looked at again either way.
    }
    if (this.#wake === wake) this.#wake = null;
    this.#grantDue();
  }

  #grantDue(): void {
    this.#refill();
    while (this.#waiters.length > 0 && (this.#rate === 0 || this.#closed || this.#balance > 0)) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) break;
      if (this.#rate !== 0) this.#balance -= waiter.bytes;
      waiter.grant();
    }
    this.#schedule();
  }
}
