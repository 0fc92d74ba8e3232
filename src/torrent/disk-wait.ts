import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { errorCode } from '../base/errors.ts';

const RETRY_MS = 5_000;
/** What ends by itself: somebody makes room, or plugs the disk in again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['disk-full', 'file-missing', 'file-changed']);

/** A full or absent disk is waited out with the work in hand, so that the download goes on by itself. */
export class DiskWait {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #isFull = false;

  /** `onChange` is called when the disk is found full, and when it may have room again. */
  constructor(deps: { clock: Clock; onChange: () => void }) {
    this.#clock = deps.clock;
    this.#onChange = deps.onChange;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Does the work, again and again until the disk lets it; any other failure is the caller's. */
  async persist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!PASSING.has(errorCode(error))) throw error;
        this.#set(errorCode(error) === 'disk-full');
      }
      await this.#clock.sleep(RETRY_MS, signal);
      this.#set(false);
    }
  }

  /** Until there is room, as `look` finds out: it fails with `disk-full` as long as there is none. */
  async forSpace(look: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await look();
        return this.#set(false);
      } catch (error) {
        if (errorCode(error) !== 'disk-full') throw error;
        this.#set(true);
      }
      await this.#clock.sleep(RETRY_MS, signal);
    }
  }

  #set(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    this.#onChange();
  }
}
