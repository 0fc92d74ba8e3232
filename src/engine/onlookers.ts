import { Emitter } from '../base/emitter.ts';

/** Who looks at what this engine shows: pages that are not hidden, and people at a command line. */
export class Onlookers {
  /** Somebody began to look, or the last one stopped. */
  readonly onChange = new Emitter<void>();
  /** How long after the last look, or the last call of another device, everything is still told at once. */
  readonly quietMs: number;
  #count = 0;

  constructor({ quietMs = 60_000 }: { readonly quietMs?: number } = {}) {
    this.quietMs = quietMs;
  }

  get isAnyone(): boolean {
    return this.#count > 0;
  }

  /** Somebody looks, until it is disposed. */
  begin(): Disposable {
    let isOver = false;
    this.#count += 1;
    if (this.#count === 1) this.onChange.emit();
    return {
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        this.#count -= 1;
        if (this.#count === 0) this.onChange.emit();
      },
    };
  }
}
