import type { Span } from './byte-space.ts';

/** A piece of a folder of small files has a hundred: a disk, or the way to it, serves some of them as fast as one. */
const TOGETHER = 8;

/**
 * Does a job for each span of a piece, some of them at once. A failure is thrown when none runs any more: the memory of
 * the piece becomes that of another one.
 */
export async function eachSpan(spans: readonly Span[], job: (span: Span) => Promise<void>): Promise<void> {
  for (let from = 0; from < spans.length; from += TOGETHER) {
    const results = await Promise.allSettled(spans.slice(from, from + TOGETHER).map(job));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
