/** Tries all in their order, `lanes` at a time, until one attempt gives something; the others are aborted. */
export async function firstOf<One, Found>(
  all: Iterable<One>,
  lanes: number,
  attempt: (one: One, signal: AbortSignal) => Promise<Found | undefined>,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const left = Array.from(all);
  const enough = new AbortController();
  const trying = AbortSignal.any([signal, enough.signal]);
  let found: Found | undefined;
  const lane = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined && !trying.aborted; one = left.shift()) {
      try {
        const result = await attempt(one, trying);
        if (result === undefined) continue;
        found ??= result;
        enough.abort();
      } catch (error) {
        // The others only ended because it is found, or because nobody waits for it.
        if (!trying.aborted) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  signal.throwIfAborted();
  return found;
}
