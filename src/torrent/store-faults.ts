import type { AppError } from '../base/errors.ts';
import type { StoreFault } from './store-fault.ts';

/** What is wrong with the files of one torrent now. */
export class StoreFaults {
  readonly #onFault: (fault: StoreFault | null) => void;
  readonly #faults = new Map<number, StoreFault>();

  /** `onFault` is called when a file becomes faulty or faulty in another way, and with null when every file is right again. */
  constructor(onFault: (fault: StoreFault | null) => void) {
    this.#onFault = onFault;
  }

  get isAny(): boolean {
    return this.#faults.size > 0;
  }

  get first(): StoreFault | null {
    return this.#faults.values().next().value ?? null;
  }

  /** Files that are there and are not what they were. */
  get changed(): number[] {
    return Array.from(this.#faults.values()).flatMap(({ kind, file }) => (kind === 'changed' ? [file] : []));
  }

  /** What became of using a file, null = all is well; gives whether that is a fault. */
  note(file: number, path: string, error: AppError | null): boolean {
    const kind = error?.code === 'file-changed' ? 'changed' : error?.code === 'file-missing' ? 'missing' : null;
    if (error !== null && kind !== null) {
      if (this.#faults.get(file)?.kind === kind) return true;
      const fault: StoreFault = { kind, file, path };
      this.#faults.set(file, fault);
      this.#onFault(fault);
    } else if (error === null && this.#faults.delete(file) && !this.isAny) this.#onFault(null);
    return kind !== null;
  }
}
