const MOST = 32;
const MOST_LAZY = 4;
/** On one path to addresses of one origin: the others must not wait. */
const MOST_OF_LANE = 8;
/** The same as long as nobody was met there. */
const MOST_UNPROVEN_OF_LANE = 4;

/** What counts for how many calls there may be at once. */
export interface CallKind {
  /** Nobody waits for it. */
  readonly isLazy: boolean;
  /** Origin of the address, and path. */
  readonly lane: string;
}

/** The calls that are being made. */
export class CallsUnderWay {
  readonly #lanes = new Map<string, number>();
  #all = 0;
  #lazy = 0;

  get isFull(): boolean {
    return this.#all >= MOST;
  }

  hasRoomFor({ isLazy, lane }: CallKind, isProven: boolean): boolean {
    const mostOfLane = isProven ? MOST_OF_LANE : MOST_UNPROVEN_OF_LANE;
    return !this.isFull && !(isLazy && this.#lazy >= MOST_LAZY) && (this.#lanes.get(lane) ?? 0) < mostOfLane;
  }

  /** It counts until it is disposed of. */
  begin({ isLazy, lane }: CallKind): Disposable {
    this.#count(lane, isLazy, 1);
    return { [Symbol.dispose]: () => this.#count(lane, isLazy, -1) };
  }

  #count(lane: string, isLazy: boolean, change: 1 | -1): void {
    this.#all += change;
    if (isLazy) this.#lazy += change;
    const ofLane = (this.#lanes.get(lane) ?? 0) + change;
    if (ofLane === 0) this.#lanes.delete(lane);
    else this.#lanes.set(lane, ofLane);
  }
}
