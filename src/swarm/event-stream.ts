/** Hands events to any number of readers, each in order and from its first call on. */
export class EventStream<T> {
  readonly #readers = new Set<(event: T) => void>();

  emit(event: T): void {
    for (const reader of this.#readers) reader(event);
  }

  /**
   * Starts with `first`; ends when the signal aborts. Nothing emitted after the call is missed. What has gathered since
   * the last turn comes together, because a message for each of a thousand events costs more than they do.
   */
  read(first: readonly T[], signal: AbortSignal): AsyncGenerator<T[], void> {
    const queue: T[] = [...first];
    let wake: () => void = () => undefined;
    const reader = (event: T): void => {
      queue.push(event);
      wake();
    };
    this.#readers.add(reader);
    signal.addEventListener('abort', () => wake(), { once: true });
    const stop = (): void => {
      this.#readers.delete(reader);
    };
    return drain(queue, (resolve) => (wake = resolve), signal, stop);
  }
}

async function* drain<T>(
  queue: T[],
  onWake: (resolve: () => void) => void,
  signal: AbortSignal,
  stop: () => void,
): AsyncGenerator<T[], void> {
  try {
    while (!signal.aborted) {
      if (queue.length === 0) await new Promise<void>(onWake);
      else yield queue.splice(0);
    }
  } finally {
    stop();
  }
}
