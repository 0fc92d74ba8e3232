/** As much as the disk and the threads have use for at a time. */
const DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

/** Jobs that take memory, one after the other where it would be more than a limit together. */
export class MemoryTurns {
  readonly #limit: number;
  #waiting: Waiting[] = [];
  #taken = 0;

  constructor(deps: { limitBytes?: number } = {}) {
    this.#limit = deps.limitBytes ?? DEFAULT_LIMIT_BYTES;
  }

  /** A job larger than the limit has it for itself. */
  async run<T>(bytes: number, job: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const giveBack = await this.take(bytes, signal);
    try {
      return await job();
    } finally {
      giveBack();
    }
  }

  /** Whether so much would be had at once. */
  hasRoom(bytes: number): boolean {
    return this.#waiting.length === 0 && this.#fits(bytes);
  }

  /** Gives what gives the memory back: to be called once. */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.hasRoom(bytes)) this.#taken += bytes;
    else await this.#turn(bytes, signal);
    return () => {
      this.#taken -= bytes;
      this.#beginNext();
    };
  }

  #turn(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal.reason);
        // Those behind it may have waited for it only.
        this.#beginNext();
      };
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting: Waiting = { bytes, begin };
      this.#waiting.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#limit;
  }

  #beginNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += next.bytes;
      next.begin();
    }
  }
}
