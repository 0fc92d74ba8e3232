/** As much as the disk and the threads have use for at a time. */
const DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

/** Jobs that take memory, one after the other where it would be more than a limit together. */
export class MemoryTurns {
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];
  #taken = 0;

  constructor(deps: { limitBytes?: number } = {}) {
    this.#limit = deps.limitBytes ?? DEFAULT_LIMIT_BYTES;
  }

  /** A job larger than the limit has it for itself. */
  async run<T>(bytes: number, job: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((begin) => this.#waiting.push({ bytes, begin }));
    } else this.#taken += bytes;
    try {
      return await job();
    } finally {
      this.#taken -= bytes;
      this.#beginNext();
    }
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
