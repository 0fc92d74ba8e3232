import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { AppError } from '../base/errors.ts';
import { isNoAnswer } from './secure-socket.ts';

const RETRY = { baseMs: 1000, maxMs: 60_000 };
/** While nothing answers at all, the network is away and no server is troubled; it may be back at any moment. */
const NO_NETWORK = { baseMs: 1000, maxMs: 3000 };
/** A network that stays away for longer is not waited for at every moment. */
const NO_NETWORK_FOR_MS = 300_000;
/** A connection that lasted this long was a good one: the next retry starts quickly again. */
const GOOD_MS = 60_000;

/** When the next attempt to connect begins. */
export class RetryPace {
  readonly #clock: Clock;
  readonly #jitter: () => number;
  #attempt = 0;
  #lostMs: number;
  #isUrgent = false;
  #hurry = new AbortController();

  constructor(deps: { readonly clock: Clock; readonly jitter: () => number }) {
    this.#clock = deps.clock;
    this.#jitter = deps.jitter;
    this.#lostMs = deps.clock.monotonic();
  }

  /** A connection is over that was there since `sinceMs` of the monotonic clock. */
  lost(sinceMs: number): void {
    this.#lostMs = this.#clock.monotonic();
    if (this.#lostMs - sinceMs >= GOOD_MS) this.#attempt = 0;
  }

  /** The next attempt waits for nothing. */
  hurry(): void {
    this.#isUrgent = true;
    this.#hurry.abort();
  }

  /** Resolves when the next attempt may begin; also when disposed of meanwhile, which the caller looks at. */
  async next(error: AppError, signal: AbortSignal): Promise<void> {
    this.#hurry = new AbortController();
    const isAway = isNoAnswer(error) && this.#clock.monotonic() - this.#lostMs < NO_NETWORK_FOR_MS;
    const delayMs = backoffDelay(this.#attempt, isAway ? NO_NETWORK : RETRY, this.#jitter);
    const stop = AbortSignal.any([signal, this.#hurry.signal]);
    if (!this.#isUrgent) await this.#clock.sleep(delayMs, stop).catch(() => undefined);
    this.#attempt = this.#isUrgent ? 0 : this.#attempt + 1;
    this.#isUrgent = false;
  }
}
