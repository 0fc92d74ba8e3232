import type { TimelineEntry } from './sphere-state.ts';

const CHUNK = 256;

/**
 * A long list that changes at its end only, and of which pictures are kept: neither a picture nor a change of the last
 * few entries copies all of it.
 */
export class Timeline {
  /** Whole chunks; never changed once they are in here. */
  #chunks: readonly (readonly TimelineEntry[])[] = [];
  #tail: TimelineEntry[] = [];
  #isTailPictured = false;

  get last(): TimelineEntry | undefined {
    return this.#tail.at(-1) ?? this.#chunks.at(-1)?.at(-1);
  }

  push(entry: TimelineEntry): void {
    if (this.#tail.length === CHUNK) {
      this.#chunks = [...this.#chunks, this.#tail];
      this.#useTail([]);
    }
    // A picture knows how long the tail was: what is added behind that is none of it.
    this.#tail.push(entry);
  }

  pop(): void {
    const isEmpty = this.#tail.length === 0;
    if (isEmpty || this.#isTailPictured) this.#useTail([...(isEmpty ? (this.#chunks.at(-1) ?? []) : this.#tail)]);
    if (isEmpty) this.#chunks = this.#chunks.slice(0, -1);
    this.#tail.pop();
  }

  /** Gives the entries of now, whenever it is asked. */
  picture(): () => readonly TimelineEntry[] {
    const [chunks, tail] = [this.#chunks, this.#tail];
    const { length } = tail;
    this.#isTailPictured = true;
    return () => [...chunks.flat(), ...tail.slice(0, length)];
  }

  #useTail(tail: TimelineEntry[]): void {
    this.#tail = tail;
    this.#isTailPictured = false;
  }
}
