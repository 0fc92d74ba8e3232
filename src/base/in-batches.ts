/** Does a job for each of `all`, `size` of them together, and gives the results in their order. */
export async function inBatches<T, R>(
  all: readonly T[],
  size: number,
  job: (one: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += size) {
    const batch = all.slice(from, from + size);
    results.push(...(await Promise.all(batch.map((one, index) => job(one, from + index)))));
  }
  return results;
}
