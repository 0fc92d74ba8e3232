import type { PieceRange } from './piece-range.ts';

/** Pieces that are wanted, and how much. */
export interface Selected extends PieceRange {
  /** Somebody waits for them. */
  readonly isUrgent: boolean;
}

/** What is wanted, in runs that do not overlap: `windows` of readers come before the `background` (null = all). */
export function selection(
  count: number,
  windows: Iterable<PieceRange>,
  background: readonly PieceRange[] | null,
): Selected[] {
  const [NOT, WANTED, URGENT] = [0, 1, 2] as const;
  const marks = new Uint8Array(count).fill(background === null ? WANTED : NOT);
  for (const { from, to } of background ?? []) marks.fill(WANTED, from, to);
  for (const { from, to } of windows) marks.fill(URGENT, from, to);
  const runs: Selected[] = [];
  for (let from = 0; from < count;) {
    const mark = marks[from];
    let to = from + 1;
    while (to < count && marks[to] === mark) to += 1;
    if (mark !== NOT) runs.push({ from, to, isUrgent: mark === URGENT });
    from = to;
  }
  return runs.toSorted((a, b) => Number(b.isUrgent) - Number(a.isUrgent));
}
