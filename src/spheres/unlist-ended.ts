import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { DeviceDirectory } from './device-directory.ts';

interface UnlistEndedDeps {
  readonly directory: Pick<DeviceDirectory, 'unlistOwn'>;
  readonly own: BareJid;
  readonly isOnline: () => boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** A server may refuse to write the list for ever. */
const RETRY = { baseMs: 60_000, maxMs: 6 * 3_600_000 };

/** Takes ended devices off the account's list: others write to whatever is on it. */
export class UnlistEnded {
  readonly #deps: UnlistEndedDeps;
  /** Whether any may still stand on it. */
  #isDue = false;
  /** How often in a row it failed, and when it is tried next; monotonic. */
  #attempts = 0;
  #notBeforeMs = 0;

  constructor(deps: UnlistEndedDeps) {
    this.#deps = deps;
  }

  /** There may be another one. */
  due(): void {
    this.#isDue = true;
    this.#attempts = 0;
    this.#notBeforeMs = 0;
  }

  /** Does what can be done now; how many milliseconds later there is something to do again, Infinity for never. */
  async pass(omemoDeviceIds: () => readonly number[]): Promise<number> {
    const { clock, isOnline } = this.#deps;
    if (this.#isDue && isOnline() && this.#notBeforeMs <= clock.monotonic()) await this.#unlist(omemoDeviceIds());
    return this.#isDue ? Math.max(RETRY.baseMs / 2, this.#notBeforeMs - clock.monotonic()) : Infinity;
  }

  async #unlist(omemoDeviceIds: readonly number[]): Promise<void> {
    const { directory, own, clock, random, log } = this.#deps;
    // Another one may be ended while this is under way.
    this.#isDue = false;
    try {
      if (omemoDeviceIds.length > 0) await directory.unlistOwn(own, omemoDeviceIds);
    } catch (error) {
      this.#isDue = true;
      this.#notBeforeMs = clock.monotonic() + backoffDelay(this.#attempts, RETRY, () => randomFraction(random));
      this.#attempts += 1;
      log.info('ended devices not unlisted', { error });
    }
  }
}
