const TOGETHER = 16;

/** What came of each file that was tried, in the order of the files. */
export interface Synced<T> {
  readonly done: T[];
  /** By the file. */
  readonly refused: ReadonlyMap<number, Error>;
}

/** Syncs files, many at once, because a disk puts many on its platters as fast as one; not those after one that is refused. */
export async function syncTogether<T>(
  files: readonly number[],
  sync: (file: number) => Promise<T>,
  signal: AbortSignal,
): Promise<Synced<T>> {
  const done: T[] = [];
  const refused = new Map<number, Error>();
  for (let start = 0; start < files.length && refused.size === 0; start += TOGETHER) {
    signal.throwIfAborted();
    const batch = files.slice(start, start + TOGETHER);
    for (const [at, result] of (await Promise.allSettled(batch.map((file) => sync(file)))).entries()) {
      if (result.status === 'fulfilled') done.push(result.value);
      else refused.set(batch[at] ?? 0, result.reason as Error);
    }
  }
  return { done, refused };
}
