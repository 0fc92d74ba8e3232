const MOST = 32;
const MOST_LAZY = 4;
/** Half of each when nobody knows whom the calls lead to: somebody may make ever more such addresses up. */
const MOST_STRANGERS = MOST / 2;
const MOST_LAZY_STRANGERS = MOST_LAZY / 2;
/** On one path to addresses of one origin: the others must not wait. */
const MOST_OF_LANE = 8;
/** The same as long as nobody was met there. */
const MOST_UNPROVEN_OF_LANE = 4;

/** What counts for how many calls there may be at once. */
export interface CallKind {
  /** Nobody waits for it. */
  readonly isLazy: boolean;
  /** Nobody knows whom it leads to. */
  readonly isStranger: boolean;
  /** Origin of the address, and path. */
  readonly lane: string;
}

/** The calls that are being made. */
export class CallsUnderWay {
  readonly #lanes = new Map<string, number>();
  #all = 0;
  #lazy = 0;
  #strangers = 0;
  #lazyStrangers = 0;

  get isFull(): boolean {
    return this.#all >= MOST;
  }

  hasRoomFor({ isLazy, isStranger, lane }: CallKind, isProven: boolean): boolean {
    if (this.isFull || (isLazy && this.#lazy >= MOST_LAZY)) return false;
    if (isStranger && this.#strangers >= MOST_STRANGERS) return false;
    if (isStranger && isLazy && this.#lazyStrangers >= MOST_LAZY_STRANGERS) return false;
    return (this.#lanes.get(lane) ?? 0) < (isProven ? MOST_OF_LANE : MOST_UNPROVEN_OF_LANE);
  }

  /** It counts until it is disposed of. */
  begin(kind: CallKind): Disposable {
    this.#count(kind, 1);
    return { [Symbol.dispose]: () => this.#count(kind, -1) };
  }

  #count({ isLazy, isStranger, lane }: CallKind, change: 1 | -1): void {
    this.#all += change;
    if (isLazy) this.#lazy += change;
    if (isStranger) this.#strangers += change;
    if (isLazy && isStranger) this.#lazyStrangers += change;
    const ofLane = (this.#lanes.get(lane) ?? 0) + change;
    if (ofLane === 0) this.#lanes.delete(lane);
    else this.#lanes.set(lane, ofLane);
  }
}
