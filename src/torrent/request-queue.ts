/** No piece is longer. */
const LARGEST_PIECE = 2 ** 30;
/** Among so many of one place one is looked for: honest peers ask for a block once, and again when it does not come. */
const MOST_LOOKED_AT = 8;

export interface BlockRequest {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

/** Requests in the order in which they came. Each is found at once: who takes back without end does not keep us busy. */
export class RequestQueue {
  /** By number. */
  readonly #requests = new Map<number, BlockRequest>();
  /** The numbers of those that begin at one place. */
  readonly #places = new Map<number, number[]>();
  #firstNumber = 0;
  #nextNumber = 0;

  get length(): number {
    return this.#requests.size;
  }

  /** The one that came first. */
  get first(): BlockRequest | undefined {
    while (this.#firstNumber < this.#nextNumber && !this.#requests.has(this.#firstNumber)) this.#firstNumber += 1;
    return this.#requests.get(this.#firstNumber);
  }

  push(request: BlockRequest): void {
    const place = placeOf(request);
    const numbers = this.#places.get(place);
    if (numbers === undefined) this.#places.set(place, [this.#nextNumber]);
    else numbers.push(this.#nextNumber);
    this.#requests.set(this.#nextNumber, request);
    this.#nextNumber += 1;
  }

  shift(): BlockRequest | undefined {
    const { first } = this;
    if (first !== undefined) this.#remove(this.#firstNumber, first);
    return first;
  }

  /** False when nobody asked for it. */
  takeBack(request: BlockRequest): boolean {
    const numbers = this.#places.get(placeOf(request))?.slice(0, MOST_LOOKED_AT);
    const number = numbers?.find((each) => this.#requests.get(each)?.length === request.length);
    if (number !== undefined) this.#remove(number, request);
    return number !== undefined;
  }

  /** All of them; the queue is empty then. */
  takeAll(): BlockRequest[] {
    const all = [...this.#requests.values()];
    this.#requests.clear();
    this.#places.clear();
    return all;
  }

  [Symbol.iterator](): Iterator<BlockRequest> {
    return this.#requests.values();
  }

  #remove(number: number, request: BlockRequest): void {
    const place = placeOf(request);
    const numbers = this.#places.get(place) ?? [];
    if (numbers.length === 1) this.#places.delete(place);
    else numbers.splice(numbers.indexOf(number), 1);
    this.#requests.delete(number);
  }
}

function placeOf({ index, offset }: BlockRequest): number {
  return index * LARGEST_PIECE + offset;
}
