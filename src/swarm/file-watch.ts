import type { Clock } from '../base/clock.ts';
import type { IdleCopy } from '../torrent/idle-copy.ts';

/** One wait for so many files, because a timer for each of them would cost more than the look. */
const BATCH = 10;
/** Files in a second: of copies not looked at yet, and of all others. */
const FIRST_PER_SECOND = 500;
const PER_SECOND = 10;
const IDLE_MS = 1_000;
/** All of them once takes at least so long. */
const ROUND_MS = 30_000;
/** A disk that was unplugged may be back: some of what was on it is looked at. */
const MISSING_MS = 5_000;
const MISSING_AT_ONCE = 20;

export interface FileWatchDeps {
  readonly clock: Clock;
  /** Those there are now. */
  readonly copies: () => Iterable<IdleCopy>;
  /** A file is there and is not what it was. */
  readonly onChanged: (copy: IdleCopy) => void;
}

/** Looks at the files of full copies that nobody uses, in turn, so that what changed or went away is told. */
export class FileWatch {
  readonly #deps: FileWatchDeps;
  #soon: IdleCopy[] = [];
  #inTurn: IdleCopy[] = [];
  #missing: IdleCopy[] = [];
  #nextRoundMs = 0;
  #nextMissingMs = 0;
  #looked = 0;

  constructor(deps: FileWatchDeps) {
    this.#deps = deps;
  }

  /** To be looked at before all that were looked at already. */
  add(copy: IdleCopy): void {
    this.#soon.push(copy);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      this.#refill(clock.monotonic());
      const first = this.#soon.pop();
      const copy = first ?? this.#inTurn.pop();
      if (copy === undefined) await clock.sleep(IDLE_MS, signal);
      else await this.#look(copy, first === undefined ? PER_SECOND : FIRST_PER_SECOND, signal);
    }
  }

  #refill(nowMs: number): void {
    if (this.#missing.length > 0 && nowMs >= this.#nextMissingMs) {
      this.#nextMissingMs = nowMs + MISSING_MS;
      this.#soon.push(...this.#missing.splice(0, MISSING_AT_ONCE));
    }
    if (this.#inTurn.length > 0 || nowMs < this.#nextRoundMs) return;
    this.#nextRoundMs = nowMs + ROUND_MS;
    this.#inTurn = Array.from(this.#deps.copies()).filter(({ isMissing }) => !isMissing);
  }

  async #look(copy: IdleCopy, perSecond: number, signal: AbortSignal): Promise<void> {
    const found = await copy.look(async () => {
      signal.throwIfAborted();
      this.#looked += 1;
      if (this.#looked % BATCH === 0) await this.#deps.clock.sleep((BATCH * 1000) / perSecond, signal);
    });
    const wasMissing = copy.isMissing;
    copy.setMissing(found === 'missing');
    if (found === 'missing') this.#missing.push(copy);
    else if (wasMissing) this.#soon.push(...this.#missing.splice(0));
    if (found === 'changed') this.#deps.onChanged(copy);
  }
}
