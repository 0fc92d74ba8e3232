import type { DeviceKey, EventId } from '../base/id.ts';
import type { MissingRange } from './protocol/gaps.ts';
import type { Missing } from './protocol/sphere-log.ts';

/** As many as one question may name. */
export const MAX_WANTED = 32;

/**
 * What to ask for first: of each device in turn, those on the list before those that somebody may have made up. Asked in
 * vain, it is the turn of what comes after; so nobody's gaps, be they ever so many, keep others' from being filled.
 */
export function mostWanted(
  { ranges, ids }: Missing,
  isListed: (device: DeviceKey) => boolean,
  turn: number,
): { ranges: MissingRange[]; ids: EventId[] } {
  const rankOf = new Map<DeviceKey, number>();
  const ranked = ranges.map((range) => {
    const rank = rankOf.get(range.device) ?? 0;
    rankOf.set(range.device, rank + 1);
    return { range, rank, isMadeUp: !isListed(range.device) };
  });
  const ordered = ranked.toSorted((a, b) => Number(a.isMadeUp) - Number(b.isMadeUp) || a.rank - b.rank);
  return {
    ranges: inTurn(
      ordered.map(({ range }) => range),
      turn,
    ),
    ids: inTurn(ids, turn),
  };
}

function inTurn<T>(all: readonly T[], turn: number): T[] {
  const from = (turn * MAX_WANTED) % Math.max(1, Math.ceil(all.length / MAX_WANTED) * MAX_WANTED);
  return all.slice(from, from + MAX_WANTED);
}
