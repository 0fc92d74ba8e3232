import type { Clock } from '../base/clock.ts';

const WINDOW_MS = 5_000;
const SLOT_MS = 500;

/** Bytes per second over the last five seconds. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #slots: { readonly number: number; bytes: number }[] = [];
  #total = 0;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Since the start. */
  get total(): number {
    return this.#total;
  }

  get rate(): number {
    const first = Math.floor((this.#clock.monotonic() - WINDOW_MS) / SLOT_MS);
    const bytes = this.#slots.reduce((sum, slot) => (slot.number > first ? sum + slot.bytes : sum), 0);
    return (bytes * 1000) / WINDOW_MS;
  }

  add(bytes: number): void {
    this.#total += bytes;
    const number = Math.floor(this.#clock.monotonic() / SLOT_MS);
    const last = this.#slots.at(-1);
    if (last?.number === number) last.bytes += bytes;
    else this.#slots.push({ number, bytes });
    if (this.#slots.length > WINDOW_MS / SLOT_MS + 1) this.#slots.shift();
  }
}
