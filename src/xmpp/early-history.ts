// XEP-0045: Multi-User Chat, version 1.35.3; XEP-0313: Message Archive Management, version 1.1.0
import type { RoomMessage } from './room-types.ts';

/** Reads everything after an entry; `onPart` hears of each part of the answer, its end as well, at the moment it comes. */
type Read = (after: string | null, signal: AbortSignal, onPart?: () => void) => AsyncIterable<RoomMessage>;

interface Begun {
  readonly after: string | null;
  readonly rest: AsyncIterator<RoomMessage>;
  readonly first: Promise<IteratorResult<RoomMessage, unknown>>;
  /** Whether anything of the answer is here. */
  readonly state: { readonly isAnswered: boolean };
}

/**
 * What is to be read of a room's archive once we are inside, asked for together with the entry: on a slow line that saves
 * a round trip. An answer that comes before we are inside is of no use, because what is said between the two would be missed.
 */
export class EarlyHistory {
  readonly #read: Read;
  #begun: Begun | undefined;

  constructor(read: Read) {
    this.#read = read;
  }

  /** Asks for it; to be called when the wish to enter is on its way. */
  begin(after: string | null, signal: AbortSignal): void {
    this.#forget();
    const state = { isAnswered: false };
    const answered = (): void => {
      state.isAnswered = true;
    };
    const rest = this.#read(after, signal, answered)[Symbol.asyncIterator]();
    const first = rest.next();
    first.then(answered, answered);
    this.#begun = { after, rest, first, state };
  }

  /** We are inside; to be called before anything that came later is read. */
  entered(): void {
    if (this.#begun?.state.isAnswered === true) this.#forget();
  }

  /** Everything after this entry: what was asked for, else it is asked for. */
  async *take(after: string | null, signal: AbortSignal): AsyncGenerator<RoomMessage, void, undefined> {
    const begun = this.#begun;
    this.#begun = undefined;
    const first = begun?.after === after ? await begun.first.catch(() => undefined) : undefined;
    if (begun === undefined || first === undefined) return yield* this.#read(after, signal);
    if (first.done === true) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => begun.rest };
  }

  #forget(): void {
    const begun = this.#begun;
    this.#begun = undefined;
    begun?.first.then(() => begun.rest.return?.()).catch(() => undefined);
  }
}
