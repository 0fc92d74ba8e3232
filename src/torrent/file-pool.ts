import type { FileHandle } from 'node:fs/promises';

interface Entry {
  readonly handle: Promise<FileHandle>;
  users: number;
  /** Taken out of the pool while in use: the last user closes it. */
  discarded: boolean;
}

const DEFAULT_LIMIT = 64;

/** Open files shared by all stores of a process, so that a thousand items stay far below the system's limit. */
export class FilePool implements AsyncDisposable {
  readonly #limit: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(deps: { limit?: number } = {}) {
    this.#limit = deps.limit ?? DEFAULT_LIMIT;
  }

  /** Descriptors held now. */
  get size(): number {
    return this.#open;
  }

  /** Runs `job` with the file of `key`, opening it when it is not open. A job must not ask for a second file. */
  async use<T>(key: string, open: () => Promise<FileHandle>, job: (handle: FileHandle) => Promise<T>): Promise<T> {
    const entry = await this.#take(key, open);
    try {
      return await job(await entry.handle);
    } finally {
      await this.#release(entry);
    }
  }

  /** Closes the file of `key` as soon as nobody uses it; the next use opens it anew. */
  async discard(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    entry.discarded = true;
    if (entry.users === 0) await this.#close(entry);
  }

  async #take(key: string, open: () => Promise<FileHandle>): Promise<Entry> {
    for (;;) {
      const known = this.#entries.get(key);
      if (known !== undefined) {
        this.#entries.delete(key);
        this.#entries.set(key, known);
        known.users += 1;
        return known;
      }
      if (this.#open < this.#limit) return this.#add(key, open);
      const idle = this.#entries.entries().find(([, entry]) => entry.users === 0);
      if (idle !== undefined) await this.discard(idle[0]);
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #add(key: string, open: () => Promise<FileHandle>): Entry {
    this.#open += 1;
    const entry: Entry = { handle: open(), users: 1, discarded: false };
    this.#entries.set(key, entry);
    // Whoever waits for the handle gets the failure; the pool only forgets the entry.
    entry.handle.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      entry.discarded = true;
    });
    return entry;
  }

  async #release(entry: Entry): Promise<void> {
    entry.users -= 1;
    if (entry.users === 0 && entry.discarded) await this.#close(entry);
    else this.#waiting.shift()?.();
  }

  async #close(entry: Entry): Promise<void> {
    try {
      await (await entry.handle).close();
    } catch {
      // It never opened, or the disk went away: either way there is no descriptor left.
    } finally {
      this.#open -= 1;
      this.#waiting.shift()?.();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#entries.keys(), (key) => this.discard(key)));
  }
}
