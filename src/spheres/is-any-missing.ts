import type { Missing } from './protocol/sphere-log.ts';

/** Whether there is anything in it at all. */
export function isAnyMissing({ ranges, ids }: Missing): boolean {
  return ranges.length > 0 || ids.length > 0;
}
